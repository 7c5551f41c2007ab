"""``modelyard diff``."""

from __future__ import annotations

import click

from modelyard.actions.diff import diff
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.difference import Difference
from modelyard.render.figures import share


@click.command()
@click.argument("before", metavar="NAME@2")
@click.argument("after", metavar="NAME@3")
@json_option
@click.pass_context
def command(ctx: click.Context, before: str, after: str, as_json: bool) -> None:
    """How one dataset version differs from another: schema, rows, distributions.

    \b
    Example: modelyard diff patients@2 patients@3
    """
    found = diff(project(ctx), before, after)
    if as_json:
        show_json(found)
    else:
        _tell(found)


def _tell(found: Difference) -> None:
    rows = found.rows
    if found.same:
        say(f"{found.before} and {found.after} hold the same {rows.after:,} rows")
        return
    say(f"{found.before} to {found.after}: {rows.before:,} rows, then {rows.after:,}")
    for change in found.schema:
        say(f"  schema: {change.sentence}")
    changed = f", {rows.changed:,} changed" if rows.by == "key" else ""
    say(f"  rows by {rows.by}: {rows.added:,} added, {rows.removed:,} removed{changed}")
    if rows.moved:
        say(f"  {rows.moved:,} rows moved between train and test")
    for name, count in rows.columns.items():
        say(f"  {name}: {count:,} values corrected")
    if rows.cells:
        show_table(
            ("row", "column", "was", "is"),
            [
                (", ".join(str(v) for v in c.key.values()), c.column, _cell(c.before), _cell(c.after))
                for c in rows.cells
            ],
            empty="",
        )
    show_table(
        ("column", "psi", "ks", "p", "missing", "then", ""),
        [
            (
                s.column,
                f"{s.effect:.3f}",
                f"{s.distance:.3f}",
                "-" if s.p is None else f"{s.p:.2g}",
                share(s.missing_before, 1),
                share(s.missing_after, 1),
                s.sentence.removeprefix(f"{s.column} "),
            )
            for s in found.shifts
        ],
        empty="no column to compare",
    )


def _cell(value: object) -> str:
    return "(missing)" if value is None else str(value)[:60]
