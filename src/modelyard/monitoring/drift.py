"""Whether a column's distribution moved, and how: one test a column."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelyard.monitoring.compare import (
    CELLS,
    Comparison,
    compare_categories,
    compare_numbers,
    unlisted,
)
from modelyard.monitoring.draft import Draft, share
from modelyard.records.finding import FindingKind
from modelyard.records.profile import ColumnProfile
from modelyard.records.schema import Kind

REFERENCE_ROWS = 20
"""A reference with fewer values says too little about what is usual."""
NAMED = 3
"""Categories that a sentence names."""
_WAYS: dict[Kind, tuple[str, str]] = {"date": ("earlier", "later"), "datetime": ("earlier", "later")}


@dataclass(frozen=True)
class Moments:
    mean: float
    sd: float


def drift(kind: FindingKind, reference: ColumnProfile, window: ColumnProfile, *, min_rows: int) -> Draft:
    """Test one column; nulls take no part, since ``missing`` judges them."""
    n, m = present(reference), present(window)
    untested = _untested(reference, window, min_rows)
    if untested:
        made = Comparison("none", 0.0, None, 0.0, 1)
    elif is_text(reference):
        made = compare_categories(reference, window)
    else:
        made = compare_numbers(reference, window)
    name = reference.name
    return Draft(
        kind=kind,
        column=name,
        statistic=made.statistic,
        value=made.value,
        p=made.p,
        effect=made.effect,
        reference_rows=n,
        window_rows=m,
        change=f"{name} {_change(reference, window, n, m)}" if made.p is not None else "",
        calm=f"{name} {untested or _alike(reference)}" if made.p is None else f"{name} shows no drift",
        cells=made.cells if not is_text(reference) and made.cells == CELLS else 0,
        pair=(reference, window),
    )


def is_text(column: ColumnProfile) -> bool:
    return column.kind in ("string", "boolean")


def present(column: ColumnProfile) -> int:
    """Rows with a value, infinities included."""
    return column.rows - column.nulls - column.nans


def moments(column: ColumnProfile) -> Moments:
    """Mean and standard deviation (ddof 1) of the finite values."""
    n = sum(column.counts)
    return Moments(column.mean, math.sqrt(column.m2 / (n - 1)) if n > 1 else 0.0)


def _untested(reference: ColumnProfile, window: ColumnProfile, min_rows: int) -> str:
    n, m = present(reference), present(window)
    if n == 0:
        return "was not tested for drift: the reference has no values"
    if n < REFERENCE_ROWS:
        return f"was not tested for drift: the reference has only {n} values, fewer than {REFERENCE_ROWS}"
    if m < min_rows:
        return f"was not tested for drift: {m} values in the window, fewer than {min_rows}"
    if is_text(reference) and unlisted(window) == m and not unlisted(reference):
        return "was not tested for drift: all of the window's values are new"
    return ""


def _alike(reference: ColumnProfile) -> str:
    if is_text(reference) and sum(map(bool, reference.categories.values())) > 1:
        return "was not tested for drift: no value is frequent enough to compare"
    return "is constant in the reference and in the window"


def _change(reference: ColumnProfile, window: ColumnProfile, n: int, m: int) -> str:
    if is_text(reference):
        return f"changed: {_categories(reference, window, n, m)}"
    before, after = moments(reference), moments(window)
    if not sum(window.counts):
        return "holds only infinities"
    if not before.sd:
        return f"left its constant value {before.mean:.4g}: its mean is {after.mean:.4g}"
    sds, spread = (after.mean - before.mean) / before.sd, after.sd / before.sd
    ways = []
    if abs(sds) >= max(0.1, 3 * math.sqrt(1 / n + spread * spread / m)):
        down, up = _WAYS.get(reference.kind, ("down", "up"))
        ways.append(f"moved {up if sds > 0 else down} by {abs(sds):.2g} sd")
    if not 0.8 < spread < 1.25:
        ways.append(f"{'spread out' if spread > 1 else 'narrowed'} to {spread:.2g} times its sd")
    return " and ".join(ways) or "changed its shape, hardly its mean"


def _categories(reference: ColumnProfile, window: ColumnProfile, n: int, m: int) -> str:
    moves = {
        label: round(window.categories[label] / m - count / n, 9)
        for label, count in reference.categories.items()
    }
    most = sorted(moves, key=lambda label: (-abs(moves[label]), label))[:NAMED]
    return ", ".join(
        f"'{label}' from {share(reference.categories[label], n)} to {share(window.categories[label], m)}"
        for label in most
        if abs(moves[label]) > abs(moves[most[0]]) / 10
    )
