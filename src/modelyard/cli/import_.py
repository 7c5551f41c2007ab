"""``modelyard import``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.import_ import import_
from modelyard.cli.output import json_option, project, say, show_json


@click.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--trust", metavar="REASON", help="Answer for a package that no trusted key signed; it is recorded."
)
@json_option
@click.pass_context
def command(ctx: click.Context, source: Path, trust: str | None, as_json: bool) -> None:
    """Take a package that was made elsewhere, once every byte and its signature hold.

    \b
    Example: modelyard import screening-1.mypkg
    """
    done = import_(project(ctx), source, trust=trust)
    if as_json:
        show_json(done)
        return
    by = ", ".join(key[:16] for key in done.keys) or "no trusted key"
    say(f"{done.ref}: signed by {by}")
    follow = "register" if done.tested else "evaluate"
    say(f"next: modelyard {follow} {done.ref}")
