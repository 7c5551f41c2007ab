"""What a scan of a project found."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

Check = Literal["secrets", "code", "dependencies", "licences", "pickles", "containers"]
CHECKS: tuple[Check, ...] = ("secrets", "code", "dependencies", "licences", "pickles", "containers")
Level = Literal["note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("note", "warning", "error")


class Weakness(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; ``message`` never holds the secret that it is about."""

    check: Check
    rule: str
    """Stable: ``B602`` of bandit, ``AwsKeyDetector`` of detect-secrets, an advisory's id, or one of ours."""
    level: Level
    path: str
    """Relative to the project, with ``/``."""
    line: int = 1
    message: str
    help: str = ""
    """An address that says more."""
    fingerprint: str = ""
    """The same as long as it is the same weakness, whichever line it is on."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """A weakness that a person answers for."""

    weakness: Weakness
    reason: str


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    at: dt.datetime
    checks: tuple[Check, ...]
    files: int
    """Looked at."""
    fail_on: Level
    found: tuple[Weakness, ...]
    """Worst first."""
    allowed: tuple[Allowed, ...] = ()
    notes: tuple[str, ...] = ()
    """What was not looked at, and why; allowances that are past their day."""

    @property
    def failing(self) -> tuple[Weakness, ...]:
        return tuple(w for w in self.found if LEVELS.index(w.level) >= LEVELS.index(self.fail_on))

    @property
    def passed(self) -> bool:
        return not self.failing
