"""One test of one column before it is known how many others were made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modelyard.records.finding import Detail, FindingKind
from modelyard.records.profile import ColumnProfile


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A test that awaits correction; ``p`` is None when there was nothing to test.

    ``change`` says what is different, should it be believed; ``calm`` what to say otherwise.
    """

    kind: FindingKind
    column: str
    statistic: str
    value: float
    p: float | None
    effect: float
    reference_rows: int
    window_rows: int
    change: str
    calm: str
    cells: int = 0
    """Cells of about equal counts, when a smallest shift can be told from them; else 0."""
    shown: bool = True
    effect_name: str = "psi"
    least: float | None = None
    """The smallest effect that is worth an alert, where it is not ``min_effect``."""
    details: tuple[Detail, ...] = ()
    slice: str = ""
    """The rows that it is about, where not all."""
    interval: tuple[float, float] | None = None
    """Of ``value``."""
    sees: Callable[[float], float] | None = None
    """The smallest shift found four times in five, at that alpha."""
    pair: tuple[ColumnProfile, ColumnProfile] | None = None
    """The column in the reference and in the window, where an alert is told part by part."""


def share(part: float, whole: float) -> str:
    """A share as people read it: ``48 %``, ``0.4 %``."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.2g} %"


def probability(p: float) -> str:
    """``p = 0.4``, ``p = 3e-12``, ``p < 1e-300``."""
    return f"p = {p:.2g}" if p >= 1e-300 else "p < 1e-300"
