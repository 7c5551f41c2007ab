"""``modelyard audit``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.audit import audit, take, verify
from modelyard.cli.output import json_option, project, say, show_json, show_table


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1), help="Only the newest so many.")
@json_option
@click.pass_context
def command(ctx: click.Context, limit: int | None, as_json: bool) -> None:
    """Who did what, when, oldest first.

    \b
    Example: modelyard audit --limit 20
    """
    if ctx.invoked_subcommand:
        return
    events = audit(project(ctx), limit=limit)
    if as_json:
        show_json(events)
        return
    show_table(
        ("", "time (UTC)", "who", "what", "of", "with"),
        [
            (
                e.seq,
                f"{e.ts:%Y-%m-%d %H:%M:%S}",
                e.actor,
                e.action,
                e.object,
                ", ".join(f"{k}={_short(v)}" for k, v in e.payload.items()),
            )
            for e in events
        ],
        empty="Nothing happened yet.",
    )


@command.command("verify")
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A checkpoint that 'audit keep' wrote.",
)
@click.pass_context
def verify_(ctx: click.Context, against: Path | None) -> None:
    """Hold every link of the chain against the one before; exit 1 names the first that was changed.

    \b
    Example: modelyard audit verify --against /media/audit/2026-11.json
    """
    count = verify(project(ctx), against=against)
    say(f"{count} events, every link holds" + (f", and {against} agrees" if against else ""))


@command.command("keep")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_context
def keep_(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write the chain's size and root, signed, to be kept elsewhere.

    \b
    Example: modelyard audit keep /media/audit/2026-11.json
    """
    taken = take(project(ctx), file)
    if as_json:
        show_json(taken)
        return
    say(f"{file}: {taken.size} events, root {taken.root[:12]}, signed by {taken.key[:12]}")
    say("keep it where those who can write to the yard cannot")


def _short(value: str | int) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text[:60]
