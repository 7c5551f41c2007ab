"""How ready for production a model is: 28 tests, each with what shows it (Breck et al. 2017)."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

Section = Literal["data", "model", "infrastructure", "monitoring"]
State = Literal["automated", "documented", "failed", "missing"]
POINTS: dict[State, float] = {"automated": 1.0, "documented": 0.5, "failed": 0.0, "missing": 0.0}


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that anybody can look up: a command that shows it, or a file of the project, or an address."""

    text: str
    command: str = ""
    path: str = ""
    """Relative to the project, or an ``http(s)`` address."""


class Tested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the tests. ``failed``: it is made, and says no; a document does not change that."""

    id: str
    """``D1`` to ``D7``, ``M1`` to ``M7``, ``I1`` to ``I7``, ``O1`` to ``O7``."""
    section: Section
    title: str
    state: State
    points: float
    found: str
    """What is on record, or that nothing is."""
    evidence: tuple[Evidence, ...] = ()
    todo: str = ""
    """What to do next; empty for what has its whole point."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    version: str
    """Reference of the version that was looked at, ``screening@7``."""
    package: str
    live: tuple[str, ...]
    """Environments in which it is live."""
    score: float
    """The least of the four sections' sums: 0 to 7."""
    meaning: str
    sections: dict[Section, float]
    tests: tuple[Tested, ...]
    created: dt.datetime
