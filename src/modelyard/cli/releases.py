"""``modelyard releases``."""

from __future__ import annotations

import click

from modelyard.actions.look import releases
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@click.argument("environment", required=False)
@click.argument("model", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str | None, model: str | None, as_json: bool) -> None:
    """List what went live, newest first.

    \b
    Example: modelyard releases prod screening
    """
    found = releases(project(ctx), environment, model)
    if as_json:
        show_json(found)
        return
    show_table(
        ("release", "environment", "version", "status", "begun (UTC)", "by", "reason"),
        [
            (
                r.id,
                r.environment,
                f"{r.model}@{r.version}",
                r.status.replace("_", " "),
                f"{r.started:%Y-%m-%d %H:%M:%S}",
                r.by,
                r.reason[:80],
            )
            for r in found
        ],
        empty="Nothing was released yet; run 'modelyard deploy ENVIRONMENT'.",
    )
