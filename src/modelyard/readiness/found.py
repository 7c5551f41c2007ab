"""What a look for a test's evidence came to, and how it is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modelyard.records.event import Event
from modelyard.records.readiness import Evidence


@dataclass(frozen=True)
class Found:
    state: Literal["automated", "failed", "missing"]
    told: str
    todo: str = ""
    evidence: tuple[Evidence, ...] = ()


def made(told: str, *evidence: Evidence) -> Found:
    return Found("automated", told, "", evidence)


def failed(told: str, todo: str, *evidence: Evidence) -> Found:
    return Found("failed", told, todo, evidence)


def missing(told: str, todo: str, *evidence: Evidence) -> Found:
    return Found("missing", told, todo, evidence)


def file(path: str) -> Evidence:
    return Evidence(text=path, path=path)


def shown(text: str, command: str) -> Evidence:
    return Evidence(text=text, command=f"modelyard {command}")


def event(found: Event) -> Evidence:
    """A link of the audit chain."""
    return shown(f"event {found.seq}: {found.action}, {found.ts:%Y-%m-%d}", "audit")


def report(ref: str) -> Evidence:
    return shown(f"the report on {ref}", f"versions show {ref} --report")


def some(names: Sequence[str], most: int = 3) -> str:
    """``a, b, c and 4 more``."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def span(time: dt.timedelta) -> str:
    """A length of time in its largest unit: ``3 h``."""
    seconds = time.total_seconds()
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def count(number: int, noun: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
