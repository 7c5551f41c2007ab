"""``modelyard upgrade``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.upgrade import upgrade
from modelyard.cli.output import json_option, say, show_json


@click.command()
@click.option("--write", is_flag=True, help="Write them; a file that was edited stays as it is.")
@click.option("--take", multiple=True, metavar="FILE", help="With --write: this edited file too.")
@json_option
@click.pass_context
def command(ctx: click.Context, write: bool, take: tuple[str, ...], as_json: bool) -> None:
    """Bring the project's generated files (Makefile, pipeline, ...) to their current form.

    Without --write the differences are shown and nothing is changed; exit 1 when there are some.

    \b
    Example: modelyard upgrade
             modelyard upgrade --write --take Makefile
    """
    found = upgrade(ctx.find_object(Path), write=write, take=take)
    behind = [one for one in found if one.state != "same" and not one.written]
    if as_json:
        show_json(found)
    elif not write:
        for one in behind:
            say(one.difference.rstrip() or f"{one.path} is missing")
        edited = [one.path for one in behind if one.state == "changed"]
        if edited:
            say(f"\nedited since it was generated, kept by --write without --take: {', '.join(edited)}")
        say(
            "\n'modelyard upgrade --write' brings them in."
            if behind
            else "All files are in their current form."
        )
    else:
        for one in found:
            if one.written:
                say(f"{one.path}: written")
            elif one.state == "changed":
                say(f"{one.path}: left, since it was edited; --take {one.path} replaces it")
        if not any(one.written for one in found) and not behind:
            say("All files are in their current form.")
    if behind and not write:
        ctx.exit(1)
