"""``modelyard versions``."""

from __future__ import annotations

import click

from modelyard.actions.look import versions
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@click.argument("model", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, model: str | None, as_json: bool) -> None:
    """List registered versions.

    \b
    Example: modelyard versions screening
    """
    found = versions(project(ctx), model)
    if as_json:
        show_json(found)
        return
    show_table(
        ("version", "data", "package", "registered (UTC)", "by"),
        [(v.ref, v.dataset, v.package[:12], f"{v.registered:%Y-%m-%d %H:%M:%S}", v.by) for v in found],
        empty="Nothing is registered yet; run 'modelyard build'.",
    )
