"""``modelyard status``."""

from __future__ import annotations

import datetime as dt

import click

from modelyard.actions.status import Live, status
from modelyard.cli.moment import Moment
from modelyard.cli.output import json_option, project, say, show_json, show_table


@click.command()
@click.option("--at", type=Moment(), help="What was live then, such as 2026-11-01T12:00 (UTC).")
@json_option
@click.pass_context
def command(ctx: click.Context, at: dt.datetime | None, as_json: bool) -> None:
    """What is live where, since when, and whether it answers; or what was.

    \b
    Example: modelyard status
             modelyard status --at 2026-11-01T12:00
    """
    lines = status(project(ctx), at=at)
    if as_json:
        show_json(lines)
        return
    show_table(
        ("environment", "model", "live", "since (UTC)", "by", "answers", "url"),
        [
            (
                line.environment,
                line.model,
                _version(line),
                line.since,
                line.by,
                "yes" if line.answering else "no" if line.version and not at else "",
                line.url if line.answering else "",
            )
            for line in lines
        ],
        empty=f"Nothing was live at {at:%Y-%m-%d %H:%M:%S} UTC."
        if at
        else "No environments and models are set in modelyard.toml.",
    )
    for environment, drift in {line.environment: line.drift for line in lines if line.drift}.items():
        say(f"{environment} is not as it was deployed: {'; '.join(drift)}.")


def _version(line: Live) -> str:
    return f"@{line.version}{' (deprecated)' if line.deprecated else ''}" if line.version else "-"
