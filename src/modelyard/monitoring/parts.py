"""What a column's difference is made of: its ranges or categories, before and after."""

from __future__ import annotations

import math

import numpy as np

from modelyard.monitoring.compare import CELLS
from modelyard.monitoring.pvalues import Counts
from modelyard.records.finding import Detail
from modelyard.records.profile import ColumnProfile
from modelyard.render.figures import figure

LABELS = 12
"""Categories that are told one by one."""
OTHERS = "all others"


def parts(reference: ColumnProfile, window: ColumnProfile) -> tuple[Detail, ...]:
    """Ten ranges of about equal reference counts in their order, or the categories that moved most.

    Each with its share of the rows that have a value, and its part of the population stability index.
    """
    names, r, w = _labels(reference, window) if reference.categories else _ranges(reference, window)
    if not r.sum() or not w.sum():
        return ()
    p, q = (r + 0.5) / (r + 0.5).sum(), (w + 0.5) / (w + 0.5).sum()
    terms = (q - p) * np.log(q / p)
    total = float(terms.sum()) or math.inf
    return tuple(
        Detail(name=name, reference=before, window=after, contribution=term / total)
        for name, before, after, term in zip(
            names, (r / r.sum()).tolist(), (w / w.sum()).tolist(), terms.tolist(), strict=True
        )
        if before or after
    )


def _ranges(reference: ColumnProfile, window: ColumnProfile) -> tuple[list[str], Counts, Counts]:
    fine_r, fine_w = np.array(reference.counts, np.int64), np.array(window.counts, np.int64)
    starts = _starts(fine_r)
    r, w = np.add.reduceat(fine_r, starts), np.add.reduceat(fine_w, starts)
    ends = [*(start - 1 for start in starts[1:]), len(reference.counts) - 1]
    names = [_range(reference, start, end) for start, end in zip(starts, ends, strict=True)]
    for name, before, after in (
        ("\u2212\u221e", reference.negative_infinities, window.negative_infinities),
        ("+\u221e", reference.positive_infinities, window.positive_infinities),
    ):
        if before or after:
            names.append(name)
            r, w = np.append(r, before), np.append(w, after)
    return names, r, w


def _starts(counts: Counts) -> list[int]:
    """The first bin of each range: below and above the reference's own are ranges of their own."""
    inner = counts[1:-1].cumsum()
    if not len(inner) or not inner[-1]:
        return [0]
    wanted = [int(np.searchsorted(inner, inner[-1] * k / CELLS)) for k in range(1, CELLS)]
    starts = {1, *(at + 2 for at in wanted), len(counts) - 1}
    return [0, *sorted(start for start in starts if start < len(counts))]


def _range(reference: ColumnProfile, start: int, end: int) -> str:
    """Bin i holds what is above edge i-1, up to edge i."""
    edges = reference.edges
    if end == len(edges):
        return f"above {_shown(edges[start - 1], reference)}" if start else "any"
    if start == 0:
        return f"below {_shown(edges[min(1, len(edges) - 1)], reference)}"
    if start == end == 1 or (start == end and _exact(reference)):
        return _shown(edges[end], reference)
    low = edges[1] if start == 1 else edges[start - 1]
    return f"{_shown(low, reference)} to {_shown(edges[end], reference)}"


def _exact(reference: ColumnProfile) -> bool:
    """Whether each bin is one value."""
    return len(reference.edges) <= 21


def _shown(value: float, reference: ColumnProfile) -> str:
    return figure(value, reference.kind)


def _labels(reference: ColumnProfile, window: ColumnProfile) -> tuple[list[str], Counts, Counts]:
    pairs = {label: (n, window.categories.get(label, 0)) for label, n in reference.categories.items()}
    pairs |= {label: (0, n) for label, n in window.unseen.items()}
    n, m = sum(a for a, _ in pairs.values()) or 1, sum(b for _, b in pairs.values()) or 1
    order = sorted(pairs, key=lambda label: (-abs(pairs[label][1] / m - pairs[label][0] / n), label))
    told = [label for label in order[:LABELS] if any(pairs[label])]
    rest = [pairs[label] for label in order if label not in told]
    before = sum(a for a, _ in rest) + sum(reference.unseen.values()) + reference.other
    after = sum(b for _, b in rest) + window.other
    counts = [pairs[label] for label in told]
    names = list(told)
    if before or after:
        names.append(OTHERS)
        counts.append((before, after))
    made = np.array(counts or [(0, 0)], dtype=np.int64)
    return names or [OTHERS], made[:, 0], made[:, 1]
