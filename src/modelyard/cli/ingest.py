"""``modelyard ingest``."""

from __future__ import annotations

import click

from modelyard.actions.ingest import Ingested, ingest, write_schema
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import ModelyardError
from modelyard.records.dataset import Intake


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option("--schema", "schema_only", is_flag=True, help="Only write what is seen into the schema file.")
@click.option("--full", is_flag=True, help="Read all sources anew, as the whole table.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, datasets: tuple[str, ...], schema_only: bool, full: bool, as_json: bool
) -> None:
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
    names = datasets or tuple(here.settings.data)
    done = []
    for name in names:
        try:
            result = ingest(here, name, full=full)
        except ModelyardError as error:
            raise error if len(names) == 1 else type(error)(f"{name}: {error}") from error
        done.append(result)
        if not as_json:
            _tell(result)
    if as_json:
        show_json(done)


def _tell(result: Ingested) -> None:
    version = result.version
    held_back = f"{version.rows} rows, {version.test_rows} held back for testing"
    say(f"{version.ref}: {held_back}" if result.new else f"{version.ref}: nothing new ({held_back})")
    if result.intake:
        say(f"  {_told(result.intake)}")
    for name in result.outdated:
        say(
            f"  {name} changed: rows that were there before keep what they were made with, until "
            f"'modelyard ingest {version.dataset} --full'"
        )
    for mark, count in sorted(version.marks.items()) if result.new else ():
        say(f"  marked: {_many(count, 'row')}, {mark}")
    for finding in version.findings if result.new else ():
        say(f"  found: {finding.sentence}")
    if result.schema_file:
        say(f"  schema: {result.schema_file} says what was seen; declare there what must be")


def _told(intake: Intake) -> str:
    known = f" ({intake.known:,} known already)" if intake.known else ""
    counted = [
        f"{count:,} {word}"
        for count, word in (
            (intake.added, "added"),
            (intake.replaced, "replaced"),
            (intake.identical, "identical"),
            (intake.superseded, "superseded by a later one"),
            (intake.aside, "below the watermark"),
        )
        if count
    ]
    of = f"read {_many(intake.read, 'row')} of {_many(intake.files, 'source')}{known}"
    before = f"; {intake.before:,} before, {intake.before + intake.added:,} now" if intake.base else ""
    return f"{of}: {', '.join(counted) or 'nothing new'}{before}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
