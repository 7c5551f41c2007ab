"""``modelyard ingest``."""

from __future__ import annotations

import click

from modelyard.actions.ingest import ingest
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@json_option
@click.pass_context
def command(ctx: click.Context, datasets: tuple[str, ...], as_json: bool) -> None:
    """Read a dataset's sources into its next version; every dataset when none is named.

    \b
    Example: modelyard ingest patients
    """
    here = project(ctx)
    done = [ingest(here, name) for name in datasets or tuple(here.settings.data)]
    if as_json:
        show_json(done)
        return
    for result in done:
        version = result.version
        held_back = f"{version.rows} rows, {version.test_rows} held back for testing"
        say(f"{version.ref}: {held_back}" if result.new else f"{version.ref}: nothing new ({held_back})")
        for mark, count in sorted(version.marks.items()) if result.new else ():
            say(f"  marked: {count} rows, {mark}")
