"""``modelyard check``."""

from __future__ import annotations

import click

from modelyard.actions.check import check
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@json_option
@click.pass_context
def command(ctx: click.Context, models: tuple[str, ...], as_json: bool) -> None:
    """Run a model's own tests, and its service tests against a service on this machine.

    \b
    Example: modelyard check screening
    """
    here = project(ctx)
    done = [check(here, name) for name in models or tuple(here.settings.models)]
    if as_json:
        show_json(done)
        return
    for result in done:
        say(
            f"{result.model}: {result.tests.passed} of its own tests and {len(result.service)} service tests passed"
        )
