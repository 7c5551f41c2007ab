"""``modelyard status``."""

from __future__ import annotations

import click

from modelyard.actions.status import status
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """What is live where, since when, and whether it answers.

    \b
    Example: modelyard status
    """
    lines = status(project(ctx))
    if as_json:
        show_json(lines)
        return
    show_table(
        ("environment", "model", "live", "since (UTC)", "by", "answers", "url"),
        [
            (
                line.environment,
                line.model,
                f"@{line.version}" if line.version else "-",
                line.since,
                line.by,
                "yes" if line.answering else "no" if line.version else "",
                line.url if line.answering else "",
            )
            for line in lines
        ],
        empty="No environments and models are set in modelyard.toml.",
    )
