"""Two samples of one column's counts, gathered into cells that a test can be calibrated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.monitoring.pvalues import Counts, chi_square, fisher, ks, psi, psi_bias, psi_p
from modelyard.records.profile import ColumnProfile

CELLS = 10
EXPECTED = 5
"""Rows that a cell should expect in the smaller sample for its statistic to be near chi-square."""


@dataclass(frozen=True)
class Comparison:
    """``p`` is None when nothing could differ (one cell); ``effect`` is the PSI less what chance alone adds."""

    statistic: str
    value: float
    p: float | None
    effect: float
    cells: int


def compare_numbers(reference: ColumnProfile, window: ColumnProfile) -> Comparison:
    """PSI on about ten cells of equal reference counts, and Kolmogorov-Smirnov; infinities join the outermost.

    The index sees any change of shape, the other finds a shift in fewer rows; ``p`` is twice the
    smaller of theirs (Bonferroni), and the statistic is the one it came from.
    """
    fine = _with_infinities(reference), _with_infinities(window)
    r, w = coarsen(*fine)
    effect = corrected_effect(r, w)
    if len(r) == 2:
        return (
            Comparison("psi", psi(r, w), psi_p(r, w), effect, 2)
            if _least(r, w) >= EXPECTED
            else compare_pair(r, w)
        )
    by_cells, (distance, by_distance) = psi_p(r, w), ks(*fine)
    if by_distance < by_cells:
        return Comparison("ks", distance, min(1.0, 2 * by_distance), effect, len(r))
    return Comparison("psi", psi(r, w), min(1.0, 2 * by_cells), effect, len(r))


def compare_categories(reference: ColumnProfile, window: ColumnProfile) -> Comparison:
    """Two-sample chi-square; rare categories share a cell.

    Rows of labels that the reference does not list stand among the rare, but those of a new label so
    frequent that the reference should have had it stay out: ``new_categories`` judges them.
    """
    n, m = sum(reference.categories.values()), sum(window.categories.values())
    pairs = [(count, window.categories[label]) for label, count in reference.categories.items()]
    if unlisted(reference):
        r, w = _lump(pairs, rest=(unlisted(reference), unlisted(window)))
    else:
        frequent = (n + m) * EXPECTED / max(n, 1)
        pairs += [(0, count) for count in window.unseen.values() if count < frequent]
        r, w = _lump(pairs)
    if not r.sum() or not w.sum():
        return Comparison("chi_square", 0.0, None, 0.0, 1)
    if len(r) > 2 or (len(r) == 2 and _least(r, w) >= EXPECTED):
        statistic, p = chi_square(r, w)
        return Comparison("chi_square", statistic, p, corrected_effect(r, w), len(r))
    return compare_pair(r, w)


def unlisted(column: ColumnProfile) -> int:
    """Rows whose label the reference does not list."""
    return sum(column.unseen.values()) + column.other


def compare_pair(r: Counts, w: Counts) -> Comparison:
    """Fisher's exact test of two cells; one cell, an empty sample, or a cell empty in both cannot differ."""
    if len(r) < 2 or not ((r + w).all() and r.any() and w.any()):
        return Comparison("fisher", 0.0, None, 0.0, 1)
    return Comparison("fisher", psi(r, w), fisher(r, w), corrected_effect(r, w), 2)


def corrected_effect(r: Counts, w: Counts) -> float:
    """PSI without its upward bias, at least 0."""
    return max(0.0, psi(r, w) - psi_bias(r, w))


def coarsen(reference: Counts, window: Counts, *, cells: int = CELLS) -> tuple[Counts, Counts]:
    """Neighbouring bins joined to at most ``cells`` of about equal reference counts.

    Fewer cells when the samples are small or values repeat; where nearly all of the reference is one
    value, two: that value and the rest.
    """
    least = int(min(reference.sum(), window.sum()))
    wanted = max(2, min(cells, least // EXPECTED))
    cumulative = reference.cumsum()
    total = cumulative[-1]
    cuts = {int(np.abs(cumulative - total * k / wanted).argmin()) for k in range(1, wanted)}
    starts = [0, *(cut + 1 for cut in sorted(cuts) if 0 < cumulative[cut] < total)]
    if len(starts) == 1:
        top = int(reference.argmax())
        return _apart(reference, top), _apart(window, top)
    r, w = np.add.reduceat(reference, starts), np.add.reduceat(window, starts)
    # equal cells may expect a little less than wanted: edges are values, not exact quantiles
    while len(r) > 2 and r.min() * least / total < EXPECTED - 1:
        small = int(r.argmin())
        left, right = r[small - 1] if small else total + 1, r[small + 1] if small + 1 < len(r) else total + 1
        first = small - 1 if left <= right else small
        r, w = _join(r, first), _join(w, first)
    return r, w


def _with_infinities(column: ColumnProfile) -> Counts:
    counts = np.array(column.counts, dtype=np.int64)
    counts[0] += column.negative_infinities
    counts[-1] += column.positive_infinities
    return counts


def _lump(pairs: list[tuple[int, int]], *, rest: tuple[int, int] = (0, 0)) -> tuple[Counts, Counts]:
    """Cells in order of size, the rare ones joined to ``rest``.

    What is rare is told from both samples together, which keeps the test exact.
    """
    counts = np.array([*sorted(pairs, key=sum, reverse=True), rest], dtype=np.int64)
    n, m = counts.sum(axis=0)
    enough = EXPECTED * (n + m) / max(min(n, m), 1)
    kept = int((counts[:-1].sum(axis=1) >= enough).sum())
    if not any(rest):
        kept = max(1, kept)
        if kept > 1 and 0 < counts[kept:].sum() < enough:
            kept -= 1
    cells = np.vstack([counts[:kept], counts[kept:].sum(axis=0)])
    cells = cells[cells.any(axis=1)]
    return cells[:, 0], cells[:, 1]


def _least(r: Counts, w: Counts) -> float:
    """The fewest rows that a cell expects in the smaller sample."""
    n, m = int(r.sum()), int(w.sum())
    return float((r + w).min()) * min(n, m) / (n + m)


def _apart(counts: Counts, place: int) -> Counts:
    return np.array([counts[place], counts.sum() - counts[place]], dtype=np.int64)


def _join(counts: Counts, first: int) -> Counts:
    return np.concatenate([counts[:first], [counts[first] + counts[first + 1]], counts[first + 2 :]])
