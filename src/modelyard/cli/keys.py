"""``modelyard keys``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.keys import Key, export, keys, rotate
from modelyard.cli.output import json_option, project, say, show_json, show_table


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Whose signatures count: the key that signs here, and those that are trusted.

    \b
    Example: modelyard keys
             modelyard keys export keys/anna.pub
    """
    if ctx.invoked_subcommand:
        return
    found = keys(project(ctx))
    if as_json:
        show_json(found)
        return
    show_table(
        ("key", "what", "trusted in"),
        [(key.id[:16], _what(key), "nowhere" if key.revoked else ", ".join(key.trusted)) for key in found],
        empty="No key was made or trusted here yet; the first training makes one.",
    )


@command.command("rotate")
@click.pass_context
def rotate_(ctx: click.Context) -> None:
    """A new key signs from now on; signatures of the one before still verify.

    \b
    Example: modelyard keys rotate
    """
    say(f"{rotate(project(ctx)).id[:16]} signs from now on")


@command.command("export")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def export_(ctx: click.Context, path: Path) -> None:
    """Write the public key, for others to trust.

    \b
    Example: modelyard keys export keys/anna.pub
    """
    say(f"{export(project(ctx), path)[:16]}: its public half is in {path}")


def _what(key: Key) -> str:
    told = "signs here" if key.signs else "signed here before" if key.own else "trusted"
    return f"{told}, revoked" if key.revoked else told
