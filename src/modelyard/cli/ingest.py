"""``modelyard ingest``."""

from __future__ import annotations

import click

from modelyard.actions.ingest import ingest, write_schema
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option("--schema", "schema_only", is_flag=True, help="Only write what is seen into the schema file.")
@json_option
@click.pass_context
def command(ctx: click.Context, datasets: tuple[str, ...], schema_only: bool, as_json: bool) -> None:
    """Read a dataset's sources into its next version; every dataset when none is named.

    \b
    Example: modelyard ingest patients
    """
    here = project(ctx)
    if schema_only:
        paths = {name: str(write_schema(here, name)) for name in datasets or tuple(here.settings.data)}
        if as_json:
            show_json(paths)
            return
        for name, path in paths.items():
            say(f"{name}: what was seen is written in {path}")
        return
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
        for finding in version.findings if result.new else ():
            say(f"  found: {finding.sentence}")
        if result.schema_file:
            say(f"  schema: {result.schema_file} says what was seen; declare there what must be")
