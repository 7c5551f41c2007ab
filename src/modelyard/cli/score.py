"""``modelyard score``."""

from __future__ import annotations

import click

from modelyard.actions.score import score
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--query", help="SQL, where IN is a database.")
@click.option("--table", default="", help="The table, where OUT is a database.")
@click.option("--append", is_flag=True, help="Beside the rows of a Delta table or database, not instead.")
@click.option("--replace", is_flag=True, help="Replace OUT when it is there.")
@click.option(
    "--keep", multiple=True, metavar="COLUMN", help="Columns of IN that OUT has beside the answers."
)
@click.option("--processes", type=click.IntRange(1, 256), help="By default one a core.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ref: str,
    source: str,
    output: str,
    query: str | None,
    table: str,
    append: bool,
    replace: bool,
    keep: tuple[str, ...],
    processes: int | None,
    as_json: bool,
) -> None:
    """Answer for every row of a table of any size; what was killed is taken up by the same command.

    IN is a file, a glob, an address or a dataset; OUT ends in .csv, .parquet, .jsonl, .arrow or .delta, or is
    an address. Rows that do not fit go to OUT.refused.parquet, each with its reasons.

    \b
    Example: modelyard score screening@prod 'in/*.csv' scores.parquet
    """
    done = score(
        project(ctx),
        ref,
        source,
        output,
        query=query,
        table=table,
        append=append,
        keep=keep,
        replace=replace,
        processes=processes,
    )
    if as_json:
        show_json(done)
        return
    resumed = f", {done.resumed:,} of them before it was killed" if done.resumed else ""
    say(f"{done.answered:,} rows answered in {done.seconds:.1f} s{resumed}: {done.output}")
    if done.refused:
        say(f"{done.refused:,} rows refused, with their reasons: {done.quarantine}")
    for mark, count in sorted(done.marks.items()):
        say(f"  {count:,} outside what training data showed: {mark}")
