"""``modelyard register``."""

from __future__ import annotations

import click

from modelyard.actions.register import register
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("model")
@json_option
@click.pass_context
def command(ctx: click.Context, model: str, as_json: bool) -> None:
    """Register the newest run's tested package; the same package again is the same version.

    \b
    Example: modelyard register screening
    """
    version = register(project(ctx), model)
    if as_json:
        show_json(version)
        return
    say(f"{version.ref}: package {version.package[:12]}, trained on {version.dataset}")
