"""The prediction log's own upkeep, as ``gc`` does it: small files put together, and those that no table is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from modelyard.ports import Facts
from modelyard.project import Project, fresh, now

SETTLED = dt.timedelta(hours=1)
"""How long an hour is over before its files are put together: rows of it come that late."""


def condense(project: Project) -> int:
    """Put small files of the log and of the outcomes together; how many fewer there are. Nothing else need wait for it."""
    from modelyard.monitoring import Compacted, compact

    made = Compacted()
    until = (now() - SETTLED).replace(minute=0, second=0, microsecond=0)
    for home, hourly in _homes(project):
        made += compact(home, until=until, hourly=hourly)
    if not made.before:
        return 0

    def append(facts: Facts) -> None:
        facts.events.append("predictions.compacted", "yard", before=made.before, after=made.after)

    project.yard.once(fresh("compact"), project.actor, append, type(None))
    return made.before - made.after


def unused(project: Project) -> Iterator[Path]:
    """Files that none of those tables is made of any more."""
    from modelyard.monitoring import strays

    for home, _ in _homes(project):
        yield from strays(home)


def _homes(project: Project) -> Iterator[tuple[Path, bool]]:
    """Folders of tables, and whether windows are cut from them."""
    yield from ((home, True) for home in sorted((project.tables / "predictions").glob("*/*")))
    yield from ((home, False) for home in sorted((project.tables / "outcomes").glob("*")))
