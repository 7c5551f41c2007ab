"""``modelyard audit``."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from modelyard.actions.audit import audit, export, save, take, verify
from modelyard.cli.moment import Moment
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.event import Event, Wanted

F = TypeVar("F", bound=Callable[..., Any])


def _filtered(command: F) -> F:
    """The options that say which events are wanted."""
    for option in (
        click.option(
            "--object", "object_", default="", help="Of this only: screening@1, or screening for all of it."
        ),
        click.option("--action", default="", help="Only this: release.live, or release for all of its kind."),
        click.option("--actor", default="", help="Only what they did."),
        click.option("--until", type=Moment(), help="Only before this time."),
        click.option("--since", type=Moment(), help="Only from this time on, such as 2026-11-01 (UTC)."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1), help="Only the newest so many.")
@_filtered
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    limit: int | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    actor: str,
    action: str,
    object_: str,
    as_json: bool,
) -> None:
    """Who did what, when, oldest first.

    \b
    Example: modelyard audit --limit 20
             modelyard audit --since 2026-11-01 --action release
             modelyard audit export events.jsonl
    """
    if ctx.invoked_subcommand:
        return
    wanted = Wanted(since=since, until=until, actor=actor, action=action, object=object_)
    events = audit(project(ctx), limit=limit, wanted=wanted)
    if as_json:
        show_json(events)
        return
    show_table(
        ("", "time (UTC)", "who", "what", "of", "with"),
        [
            (
                e.seq,
                f"{e.ts:%Y-%m-%d %H:%M:%S}",
                _who(e),
                e.action,
                e.object,
                ", ".join(f"{k}={_short(v)}" for k, v in e.payload.items() if k != "token"),
            )
            for e in events
        ],
        empty="Nothing of it happened." if wanted != Wanted() else "Nothing happened yet.",
    )


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_filtered
@click.pass_context
def export_(
    ctx: click.Context,
    file: Path,
    since: dt.datetime | None,
    until: dt.datetime | None,
    actor: str,
    action: str,
    object_: str,
) -> None:
    """Write events as JSON Lines, however many; "-" is standard output.

    \b
    Example: modelyard audit export events.jsonl
             modelyard audit export - --object screening@7 | jq .action
    """
    wanted = Wanted(since=since, until=until, actor=actor, action=action, object=object_)
    if str(file) == "-":
        export(project(ctx), sys.stdout.buffer, wanted=wanted)
        return
    count = save(project(ctx), file, wanted=wanted)
    say(f"{file}: {count} events")


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


def _who(event: Event) -> str:
    return f"{event.actor}, verified" if event.verified else event.actor


def _short(value: str | int) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text[:60]
