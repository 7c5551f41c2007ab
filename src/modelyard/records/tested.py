"""What a candidate's service was asked before traffic was switched to it, and how it answered."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from modelyard.records.load import Figures

TestKind = Literal["integration", "functional", "acceptance", "robustness", "security", "performance"]
"""``integration``: every protocol; ``functional``: the golden predictions; ``acceptance``: the author's payloads;
``robustness``: bad and rare values; ``security``: who may not ask, and bounds; ``performance``: promises under load."""


class Golden(msgspec.Struct, frozen=True):
    """Rows with the answers that the package was sealed with."""

    rows: list[dict[str, Any]]
    prediction: list[Any]
    probability: list[list[float]] | None = None
    quantiles: list[list[float]] | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One application test; ``sentence`` says what was seen when it failed, or what was measured."""

    kind: TestKind
    name: str
    passed: bool
    sentence: str = ""
    seconds: float = 0.0


class ApplicationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The application tests of one candidate, bound to its package's digest."""

    subject: str
    """``screening@7``, or ``screening@run``."""
    package: str
    environment: str | None
    """As which environment's service it was tested; None for a ``check`` like none of them."""
    at: dt.datetime
    kinds: tuple[TestKind, ...]
    """Those that were asked for."""
    outcomes: tuple[Outcome, ...]
    load: Figures | None = None
    """The short load test, where there was one."""
    memory_mb: float | None = None
    """Of all processes of the service after it, what they share counted once."""

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)
