"""``modelyard releases``."""

from __future__ import annotations

import datetime as dt

import click

from modelyard.actions.look import releases
from modelyard.cli.moment import Moment
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@click.argument("environment", required=False)
@click.argument("model", required=False)
@click.option("--at", type=Moment(), help="Only what was live then, such as 2026-11-01T12:00 (UTC).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str | None,
    model: str | None,
    at: dt.datetime | None,
    as_json: bool,
) -> None:
    """List what went live, newest first; or what was live at a time.

    \b
    Example: modelyard releases prod screening
             modelyard releases --at 2026-11-01T12:00
    """
    found = releases(project(ctx), environment, model, at=at)
    if as_json:
        show_json(found)
        return
    show_table(
        (
            "release",
            "environment",
            "version",
            "status",
            "begun (UTC)",
            "live from",
            "until",
            "data",
            "commit",
            "by",
            "reason",
        ),
        [
            (
                r.id,
                r.environment,
                f"{r.model}@{r.version}",
                r.status.replace("_", " "),
                f"{r.started:%Y-%m-%d %H:%M:%S}",
                f"{r.finished:%Y-%m-%d %H:%M:%S}" if r.finished and r.status != "failed" else "",
                f"{r.ended:%Y-%m-%d %H:%M:%S}" if r.ended else "",
                r.dataset,
                r.commit[:8],
                r.by,
                r.reason[:80],
            )
            for r in found
        ],
        empty=f"Nothing was live at {at:%Y-%m-%d %H:%M:%S} UTC."
        if at
        else "Nothing was released yet; run 'modelyard deploy ENVIRONMENT'.",
    )
