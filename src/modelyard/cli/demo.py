"""``modelyard demo``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.pipelines.demo import demo


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="A new folder for the project; by default a temporary one.",
)
@click.option(
    "--port", type=click.IntRange(1, 65533), help="The first environment's port; by default three free ones."
)
@click.option("--stay", is_flag=True, help="Keep the services running at the end.")
def command(folder: Path | None, port: int | None, stay: bool) -> None:
    """Walk the whole lifecycle once, on real data, showing each command.

    \b
    Example: modelyard demo --stay
    """
    demo(folder, port=port, stay=stay, say=click.echo)
