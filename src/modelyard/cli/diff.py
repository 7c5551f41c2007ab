"""``modelyard diff``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard import gates
from modelyard.actions.diff import Images, diff, write
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Misuse
from modelyard.records.contrast import Contrasts
from modelyard.records.difference import Difference
from modelyard.render.figures import share

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--html", "page", type=_FILE, help="Write a page that opens anywhere.")
@click.option("--markdown", "text", type=_FILE, help="Write Markdown, with its charts in a folder beside it.")
@click.option(
    "--images",
    type=click.Choice(["svg", "png"]),
    default="svg",
    show_default=True,
    help="What charts beside Markdown are.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    before: str,
    after: str,
    page: Path | None,
    text: Path | None,
    images: Images,
    as_json: bool,
) -> None:
    """How B differs from A; exit 1 if B does not meet its gates.

    A and B are models (screening@7, screening@prod, screening@run, a run's id), environments (staging), git
    revisions (main, HEAD~2), or dataset versions (patients@3).

    \b
    Example: modelyard diff screening@6 screening@7 --html diff.html
             modelyard diff main HEAD --markdown report/diff.md
             modelyard diff patients@2 patients@3
    """
    found = diff(project(ctx), before, after)
    if isinstance(found, Difference):
        if page or text:
            raise Misuse("--html and --markdown are of models; 'modelyard data show NAME --html' is of data.")
        if as_json:
            show_json(found)
        else:
            _tell(found)
        return
    written = write(found, page=page, text=text, images=images)
    if as_json:
        show_json(found)
    else:
        _show(found)
        for path in written:
            if path in (page, text):
                say(f"wrote {path}")
    gates.refuse(found.gates)


def _show(found: Contrasts) -> None:
    from modelyard.render.contrasted import Pair, settings, settings_note, views

    def pairs(head: str, rows: tuple[Pair, ...]) -> None:
        if rows:
            say("")
            show_table((head, view.before, view.after), [(r.name, r.before, r.after) for r in rows], empty="")

    if told := settings(found):
        titles = ("setting", found.before, found.after)
        show_table(titles, [(r.name, r.before, r.after) for r in told], empty="")
        say("")
    if note := settings_note(found):
        say(f"{note}\n")
    for at, view in enumerate(views(found)):
        say(("\n" if at else "") + f"{view.title}: {view.before} → {view.after}")
        say(f"  {view.verdict}. {view.summary}")
        pairs("", view.facts)
        if view.comparison and view.comparison.rows:
            say("")
            show_table(
                ("on the same rows", view.before, view.after, "difference", "95 % interval", ""),
                [
                    (r.label, r.champion, r.value, r.difference, r.between, r.finding)
                    for r in view.comparison.rows
                ],
                empty="",
            )
            if view.comparison.decisions:
                say(f"  {view.comparison.decisions}")
        if view.unpaired:
            say(f"\n  {view.unpaired}")
        if view.figures:
            say("")
            show_table(
                ("metric", view.before, "95 % interval", view.after, "95 % interval"),
                [(r.label, r.before, r.between_before, r.after, r.between_after) for r in view.figures],
                empty="",
            )
        pairs("parameter", view.parameters)
        pairs("logged", view.logged)
        pairs("library", view.libraries)
        for line in view.data:
            say(f"  data: {line}")
        if view.code_note:
            say(f"  {view.code_note}")
        for file in view.code:
            say(f"\n{file.path}: {file.what}")
            if file.diff:
                say(_few(file.diff))
        for gate in view.gates:
            say(f"{'passed' if gate.passed else 'FAILED'}: {gate.sentence}")


def _few(diff: str, most: int = 40) -> str:
    lines = diff.splitlines()[2:]
    more = (
        [f"... {len(lines) - most} more lines; --markdown and --html have them"] if len(lines) > most else []
    )
    return "\n".join(lines[:most] + more)


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
