"""``modelyard init``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.init import init
from modelyard.cli.output import say


@click.command()
@click.argument("name")
@click.option(
    "--template", type=click.Choice(["classification"]), default="classification", show_default=True
)
@click.option(
    "--port",
    type=click.IntRange(1, 65533),
    default=8101,
    show_default=True,
    help="The first environment's; the others follow.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where; by default ./NAME.")
def command(name: str, template: str, port: int, folder: Path | None) -> None:
    """Write a new project that builds and passes its tests at once.

    \b
    Example: modelyard init screening
    """
    place = folder or Path(name)
    files = init(place, name=name, template=template, ports=(port, port + 1, port + 2))
    say(f"{place} holds a new project of {len(files)} files. Next: cd {place} && modelyard build")
