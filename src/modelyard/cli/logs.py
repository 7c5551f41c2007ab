"""``modelyard logs``."""

from __future__ import annotations

import click

from modelyard.actions.logs import logs
from modelyard.cli.output import project, say


@click.command()
@click.argument("environment")
@click.option(
    "--lines", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The last so many."
)
@click.pass_context
def command(ctx: click.Context, environment: str, lines: int) -> None:
    """What the processes of an environment's service printed last, wherever they run.

    \b
    Example: modelyard logs prod --lines 20
    """
    say(logs(project(ctx), environment, lines=lines) or f"Nothing was printed in {environment}.")
