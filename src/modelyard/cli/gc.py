"""``modelyard gc``."""

from __future__ import annotations

import datetime as dt

import click

from modelyard.actions.gc import Collected, gc
from modelyard.cli.moment import Span
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--grace", type=Span(), default="24h", help="How long the condemned wait.  [default: 24h]")
@click.option("--unused", is_flag=True, help="Rows of dataset versions that nothing stands on, too.")
@json_option
@click.pass_context
def command(ctx: click.Context, dry_run: bool, grace: dt.timedelta, unused: bool, as_json: bool) -> None:
    """Free the room of artifacts and table files that nothing needs.

    \b
    Example: modelyard gc --dry-run
    """
    done = gc(project(ctx), grace=grace, unused=unused, dry_run=dry_run)
    if as_json:
        show_json(done)
    else:
        _tell(done)


def _tell(done: Collected) -> None:
    for waste in done.removed:
        say(
            f"{'would remove' if done.dry_run else 'removed'} {waste.kind} {waste.name}, {waste.size:,} bytes"
        )
    for waste in done.waiting:
        say(f"condemned since {waste.condemned:%Y-%m-%d %H:%M} UTC: {waste.kind} {waste.name}")
    if done.compacted:
        say(f"put small files of the prediction log together: {done.compacted} fewer")
    for ref in done.datasets:
        say(f"rows of {ref}: nothing stands on them")
    verb = "would free" if done.dry_run else "freed"
    say(
        f"{verb} {done.freed:,} bytes; {len(done.waiting)} wait"
        if done.removed or done.waiting
        else "nothing to free"
    )
