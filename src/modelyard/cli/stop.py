"""``modelyard stop``."""

from __future__ import annotations

import click

from modelyard.actions.stop import stop
from modelyard.cli.output import project, say


@click.command()
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@click.pass_context
def command(ctx: click.Context, environments: tuple[str, ...]) -> None:
    """Drain and end an environment's service on this machine; every one when none is named.

    The releases are recorded as stopped; 'modelyard deploy' brings a version back.

    \b
    Example: modelyard stop test
    """
    here = project(ctx)
    for name in environments or tuple(here.settings.environments):
        say(f"{name}: {'stopped' if stop(here, name) else 'nothing was running'}")
