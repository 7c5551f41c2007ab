"""What was live at a time in the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from modelyard.ports import Facts
from modelyard.records.registry import Release

PAGE = 1000


def live_at(facts: Facts, at: dt.datetime) -> list[Release]:
    """The releases that were live then, by environment and model, without what was tried beside them.

    Where a clock that jumped back lets two seem so, the later release was.
    """
    found: dict[tuple[str, str], Release] = {}
    releases = [release for release in reversed(facts.releases.list()) if release.trial is None]
    ends = _ends(facts, releases)
    for release in releases:
        went = release.finished
        if went is None or release.status in ("wanted", "failed") or went > at:
            continue
        where = release.environment, release.model
        if (ended := ends.get(release.id)) is None or ended > at:
            found[where] = release
        else:
            found.pop(where, None)
    return [found[where] for where in sorted(found)]


def _ends(facts: Facts, releases: Iterable[Release]) -> dict[int, dt.datetime]:
    """When each was live no more, by its id; of what was recorded before releases had it, as others tell."""
    ends: dict[int, dt.datetime] = {}
    last: dict[tuple[str, str], Release] = {}
    untold = set()
    for release in releases:
        if release.finished is None or release.status in ("wanted", "failed"):
            continue
        where = release.environment, release.model
        before = last.get(where)
        if before and before.ended is None:
            ends[before.id] = release.finished
        last[where] = release
        if release.ended is not None:
            ends[release.id] = release.ended
        elif release.status == "stopped":
            untold.add(release.id)
    after = 0
    while untold and (page := facts.events.list(after=after, limit=PAGE)):
        after = page[-1].seq
        for event in page:
            if event.action == "release.stopped" and event.payload.get("release") in untold:
                ends[int(event.payload["release"])] = dt.datetime.fromisoformat(str(event.payload["at"]))
    return ends
