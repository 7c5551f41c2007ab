"""A look for parts of the test rows on which the model does worse than elsewhere.

Single conditions and pairs of conditions are searched on one random half of the rows; the few that look
worst are tried on the other half, so that the search, however wide, does not touch the test's level. Holm's
correction is over those few. After Chung, Kraska, Polyzotis, Tae and Whang (2019), "Slice Finder", with
sample splitting in the place of alpha-investing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modelyard import metrics
from modelyard.evaluation.cells import Cells
from modelyard.records.slices import Condition, Search, WeakSlice

ALPHA = 0.05
_CROSSED = 15
"""Columns whose pairs are looked at: those with the worst single cells."""
_CANDIDATES = 10
_OVERLAP = 0.6
"""Share of its rows that a candidate may have in common with one before it."""
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class _Seen:
    """Cells of one or two columns as they look on the first half."""

    where: tuple[tuple[int, int], ...]
    """Column and cell."""
    t: float


def search(
    cells: Sequence[Cells],
    loss: NDArray[np.float64],
    wrong: NDArray[np.bool_] | None,
    *,
    name: str,
    min_rows: int,
    seed: int,
) -> Search:
    """Slices whose mean ``loss`` [n] is above that of all other rows.

    A slice needs ``min_rows`` rows, half of them in each half of the rows. ``wrong`` [n] is told of beside.
    """
    n = len(loss)
    blank = Search(loss=name, rows=n, columns=len(cells), alpha=ALPHA)
    if n < _FEWEST:
        return _noted(blank, f"{n} rows are too few to search and to confirm; it takes {_FEWEST}.")
    first = np.zeros(n, dtype=bool)
    first[np.random.default_rng(seed).permutation(n)[: n // 2]] = True
    fewest = max(10, min_rows // 2)
    seen = _looks([c.codes[first] for c in cells], [len(c.labels) for c in cells], loss[first], fewest)
    chosen = _chosen(seen, cells, first)
    raw = [_confirmed(cells, c, loss, ~first, fewest) for c in chosen]
    corrected = metrics.holm(raw) if raw else []
    found = [
        _weak(cells, candidate, loss, wrong, ~first, p)
        for candidate, p in zip(chosen, corrected, strict=True)
        if p <= ALPHA
    ]
    return Search(
        loss=name,
        rows=n,
        columns=len(cells),
        looked=len(seen),
        candidates=len(chosen),
        alpha=ALPHA,
        found=tuple(sorted(found, key=lambda weak: weak.loss_elsewhere - weak.loss)),
    )


def _noted(blank: Search, note: str) -> Search:
    return Search(loss=blank.loss, rows=blank.rows, columns=blank.columns, alpha=blank.alpha, note=note)


def _looks(
    codes: list[NDArray[np.intp]], sizes: list[int], loss: NDArray[np.float64], fewest: int
) -> list[_Seen]:
    singles = [
        _Seen(((at, cell),), t)
        for at, column in enumerate(codes)
        for cell, t in _worse(column, sizes[at], loss, fewest)
    ]
    best: dict[int, float] = {}
    for seen in singles:
        best[seen.where[0][0]] = max(best.get(seen.where[0][0], -math.inf), seen.t)
    crossed = sorted(sorted(best, key=lambda at: -best[at])[:_CROSSED])
    pairs = []
    for a, b in itertools.combinations(crossed, 2):
        for cell, t in _worse(codes[a] * sizes[b] + codes[b], sizes[a] * sizes[b], loss, fewest):
            pairs.append(_Seen(((a, cell // sizes[b]), (b, cell % sizes[b])), t))
    return singles + pairs


def _worse(
    codes: NDArray[np.intp], size: int, loss: NDArray[np.float64], fewest: int
) -> Iterator[tuple[int, float]]:
    """Cells with rows enough, within and without, and Welch's t of their loss above the others'."""
    n = np.bincount(codes, minlength=size).astype(np.float64)
    total = np.bincount(codes, weights=loss, minlength=size)
    squares = np.bincount(codes, weights=loss**2, minlength=size)
    rest = len(loss) - n
    for cell in np.flatnonzero((n >= fewest) & (rest >= fewest)):
        yield (
            int(cell),
            _welch(
                (n[cell], total[cell], squares[cell]),
                (rest[cell], loss.sum() - total[cell], (loss**2).sum() - squares[cell]),
            ),
        )


def _welch(inside: tuple[float, float, float], outside: tuple[float, float, float]) -> float:
    """From count, sum and sum of squares of both; 0 where nothing varies."""
    (n, a, aa), (m, b, bb) = inside, outside
    variance = max(0.0, aa - a * a / n) / (n - 1) / n + max(0.0, bb - b * b / m) / (m - 1) / m
    gap = a / n - b / m
    return float(gap / math.sqrt(variance)) if variance > 1e-12 * gap * gap else 0.0


def _chosen(seen: list[_Seen], cells: Sequence[Cells], first: NDArray[np.bool_]) -> list[_Seen]:
    """The worst, fewer conditions before more, none that is mostly another again."""
    chosen: list[tuple[_Seen, NDArray[np.bool_]]] = []
    for candidate in sorted((s for s in seen if s.t > 1), key=lambda s: (-s.t, len(s.where), s.where)):
        mask = _mask(cells, candidate) & first
        if all((mask & other).sum() <= _OVERLAP * min(mask.sum(), other.sum()) for _, other in chosen):
            chosen.append((candidate, mask))
        if len(chosen) == _CANDIDATES:
            break
    return [candidate for candidate, _ in chosen]


def _mask(cells: Sequence[Cells], seen: _Seen) -> NDArray[np.bool_]:
    masks = [cells[column].codes == cell for column, cell in seen.where]
    together: NDArray[np.bool_] = np.logical_and.reduce(masks)
    return together


def _confirmed(
    cells: Sequence[Cells], seen: _Seen, loss: NDArray[np.float64], second: NDArray[np.bool_], fewest: int
) -> float:
    mask = _mask(cells, seen)
    inside, outside = loss[mask & second], loss[~mask & second]
    if len(inside) < fewest or len(outside) < fewest:
        return 1.0
    sums = [(float(len(x)), float(x.sum()), float((x**2).sum())) for x in (inside, outside)]
    spread = [float(x.var(ddof=1)) / len(x) for x in (inside, outside)]
    if not sum(spread):
        return 1.0
    # Welch and Satterthwaite's degrees of freedom
    degrees = sum(spread) ** 2 / sum(
        v * v / (len(x) - 1) for v, x in zip(spread, (inside, outside), strict=True)
    )
    return float(special.stdtr(degrees, -_welch(sums[0], sums[1])))


def _weak(
    cells: Sequence[Cells],
    seen: _Seen,
    loss: NDArray[np.float64],
    wrong: NDArray[np.bool_] | None,
    second: NDArray[np.bool_],
    p: float,
) -> WeakSlice:
    mask = _mask(cells, seen)
    there, elsewhere = mask & second, ~mask & second
    return WeakSlice(
        where=tuple(
            Condition(column=cells[column].column, label=cells[column].labels[cell])
            for column, cell in seen.where
        ),
        rows=int(mask.sum()),
        loss=float(loss[there].mean()),
        loss_elsewhere=float(loss[elsewhere].mean()),
        wrong=None if wrong is None else float(wrong[there].mean()),
        wrong_elsewhere=None if wrong is None else float(wrong[elsewhere].mean()),
        p=p,
    )
