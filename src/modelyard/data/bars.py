"""From a profile's fine counts to the few bars that a person reads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modelyard.records.datareport import Bar
from modelyard.records.profile import ColumnProfile

BARS = 24
FEW = 12
"""So many distinct numbers or fewer have a bar each; integers up to ``BARS``."""
LABELS = 8
"""The most frequent labels have a bar each."""
_FINE = 200
"""A profile with so many edges is one of quantiles: its rows lie between them."""
_TAIL = 8
"""The outermost hundredths are not drawn when they would take more than this many times the room of the rest."""


def bars(column: ColumnProfile) -> tuple[Bar, ...]:
    """At most ``BARS`` bars of a column's values; of labels the most frequent ones."""
    if column.kind in ("string", "boolean"):
        return _labels(column)
    values, counts = points(column)
    if not len(values):
        return ()
    whole = column.kind in ("integer", "date")
    if len(values) <= (BARS if whole else FEW):
        return tuple(
            Bar(low=v, high=v, rows=n) for v, n in zip(values.tolist(), counts.tolist(), strict=True) if n
        )
    edges = _bar_edges(column, whole)
    if edges is None:
        return ()
    up_to = _cumulated(column, edges)
    return tuple(
        Bar(low=low, high=high, rows=int(n))
        for low, high, n in zip(edges[:-1].tolist(), edges[1:].tolist(), np.diff(up_to), strict=True)
    )


def points(column: ColumnProfile) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The upper edges of a profile's own bins, and their counts."""
    return np.array(column.edges[1:]), np.array(column.counts[1:-1], dtype=np.int64)


def quantile(column: ColumnProfile, share: float) -> float | None:
    """The value that at least this share of the finite values does not exceed; None without any."""
    values, counts = points(column)
    if not counts.sum():
        return None
    rank = max(1, math.ceil(share * int(counts.sum())))
    return float(values[int(np.searchsorted(counts.cumsum(), rank))])


def _bar_edges(column: ColumnProfile, whole: bool) -> NDArray[np.float64] | None:
    low, high = column.minimum, column.maximum
    near, far = quantile(column, 0.01), quantile(column, 0.99)
    assert low is not None
    assert high is not None
    assert near is not None
    assert far is not None
    if far > near and high / _TAIL - low / _TAIL > far - near:
        low, high = near, far
    if whole:
        step = max(1, math.ceil((high - low + 1) / BARS))
        return np.arange(low - 0.5, high + step, step)[: BARS + 1]
    if not math.isfinite(high - low) or high <= low:
        return None
    return np.linspace(low, high, BARS + 1)


def _cumulated(column: ColumnProfile, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows up to each edge of the bars."""
    values, counts = points(column)
    total = np.concatenate(([0], counts.cumsum()))
    if len(values) >= _FINE:
        up_to = np.interp(edges, column.edges, total)
    else:
        up_to = total[np.searchsorted(values, edges, side="right")].astype(np.float64)
    if column.minimum is not None and edges[0] == column.minimum:
        up_to[0] = 0
    return np.rint(up_to).astype(np.int64)


def _labels(column: ColumnProfile) -> tuple[Bar, ...]:
    seen = {**column.categories, **column.unseen}
    order = sorted((label for label in seen if seen[label]), key=lambda label: (-seen[label], label))
    return tuple(Bar(label=label, rows=seen[label]) for label in order[:LABELS])
