"""``modelyard scan``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from modelyard.actions.scan import accept, scan, worst
from modelyard.actions.written import written
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.weakness import CHECKS, LEVELS, Check, Level
from modelyard.scanning.sarif import sarif


@click.command()
@click.option(
    "--only", "checks", multiple=True, type=click.Choice(CHECKS), help="One of the checks; may be repeated."
)
@click.option("--fail-on", type=click.Choice(LEVELS), help="The least level that makes the answer no.")
@click.option("--history", is_flag=True, help="Look for secrets in every commit too.")
@click.option("--accept", "reason", metavar="REASON", help="Put all that is found on the baseline.")
@click.option(
    "--sarif",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write SARIF 2.1.0 for a forge.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    checks: tuple[Check, ...],
    fail_on: Level | None,
    history: bool,
    reason: str | None,
    target: Path | None,
    as_json: bool,
) -> None:
    """Secrets, weak code, vulnerable dependencies, licences, pickles, containers; exit 1 when something is found.

    Nothing is run and nothing is fetched. What somebody answers for is in [scan] or on the baseline, with a reason.

    \b
    Example: modelyard scan
             modelyard scan --sarif scan.sarif --fail-on error
             modelyard scan --accept "test keys, see SECURITY.md"
    """
    here = project(ctx)
    found = scan(here, checks=checks, fail_on=fail_on, history=history)
    if reason is not None:
        path = accept(here, found, reason=reason)
        say(f"{len(found.found)} accepted in {path}")
        found = scan(here, checks=checks, fail_on=fail_on, history=history)
    if target:
        written(target, sarif(found))
    if as_json:
        show_json(found)
    else:
        rows = [(w.level, w.rule, f"{w.path}:{w.line}", w.message) for w in worst(found)]
        show_table(("level", "rule", "where", "what"), rows, empty="Nothing was found.")
        for note in found.notes:
            say(note)
        levels = Counter(w.level for w in found.found)
        counts = ", ".join(
            f"{levels[level]} {level}{'s' * (levels[level] != 1)}" for level in reversed(LEVELS)
        )
        say(f"{found.files} files: {counts}; {len(found.allowed)} allowed")
    if not found.passed:
        ctx.exit(1)
