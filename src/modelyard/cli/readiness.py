"""``modelyard readiness``."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from modelyard.actions.readiness import readiness, write
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import GateFailed
from modelyard.render.readiness import TITLES, lines, points, summary

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--html", "page", type=_FILE, help="Write a page that opens anywhere.")
@click.option("--markdown", "text", type=_FILE, help="Write Markdown.")
@click.option("--min", "least", type=click.FloatRange(0, 7), metavar="SCORE", help="Exit 1 below this score.")
@click.option("--summary", "short", is_flag=True, help="Show the score alone, in one line.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ref: str,
    page: Path | None,
    text: Path | None,
    least: float | None,
    short: bool,
    as_json: bool,
) -> None:
    """Is it ready for production? The 28 tests of the ML Test Score, from what is on record.

    A bare MODEL is the version live in the last environment that has one, else the latest.

    \b
    Example: modelyard readiness screening --html readiness.html
             modelyard readiness screening@prod --min 2
    """
    here = project(ctx)
    found = readiness(here, ref)
    written = write(here, found, page=page, text=text)
    if as_json:
        show_json(found)
    else:
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        say(summary(found) if short else "\n".join(lines(found, width=width)))
        for path in written:
            say(f"wrote {path}")
    if least is not None and found.score < least:
        low = [TITLES[section] for section, value in found.sections.items() if value < least]
        raise GateFailed(
            f"{found.version} scores {points(found.score)}, less than {points(least)}, for {', '.join(low)}; "
            f"'modelyard readiness {found.version}' says what to do next."
        )
