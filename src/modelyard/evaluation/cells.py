"""Columns cut into categories and bins."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.records.schema import Kind
from modelyard.render.figures import figure

MOST = 20
"""Further categories, by falling rows, are one."""
AS_THEY_ARE = 6
"""A number with so few distinct values has a cell for each."""
MISSING, _OTHER = "missing", "all others"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A column's cells; ``codes`` [n] says in which of them each row is."""

    column: str
    labels: tuple[str, ...]
    codes: NDArray[np.intp]

    def rows(self, cell: int) -> NDArray[np.intp]:
        """The rows of one cell."""
        return np.flatnonzero(self.codes == cell)


def cut(
    column: str,
    kind: Kind,
    values: NDArray[Any],
    edges: Sequence[float] = (),
    *,
    like: NDArray[Any] | None = None,
) -> Cells:
    """The cells of a column's values as ``tables.gather.values`` gives them; those without rows are left out.

    Texts: each category. Numbers, days and times: ``(edge, edge]`` with open ends; without ``edges`` each
    value where there are few, else quarters of equal rows. Where a value is missing that is a cell, the last.
    With ``like`` they are the cells that these values are cut into, by the same names; a number that is in none is in
    one of its own.
    """
    first = values if like is None else like
    if kind == "string":
        return _categories(column, values, first)
    known = np.isfinite(values)
    if kind == "boolean":
        labels, codes = ["false", "true"], np.where(known, values != 0, 0).astype(np.intp)
    else:
        seen = first[np.isfinite(first)]
        distinct = np.unique(seen)
        if not edges and len(distinct) <= AS_THEY_ARE:
            labels = [*(figure(float(v), kind) for v in distinct), _OTHER]
            codes = np.where(np.isin(values, distinct), np.searchsorted(distinct, values), len(distinct))
        else:
            ends = np.array(edges) if len(edges) else _quartiles(seen, distinct)
            labels = bins(ends.tolist(), kind)
            codes = np.searchsorted(ends, values, side="left")
    return _occurring(column, [*labels, MISSING], np.where(known, codes, len(labels)))


def _categories(column: str, values: NDArray[Any], first: NDArray[Any]) -> Cells:
    seen = Counter(v for v in first.tolist() if v is not None)
    kept = sorted(seen, key=lambda label: (-seen[label], label))[:MOST]
    place = {label: at for at, label in enumerate(kept)}
    place[None] = len(kept) + 1
    codes = np.fromiter((place.get(v, len(kept)) for v in values.tolist()), np.intp, len(values))
    return _occurring(column, [*kept, f"{_OTHER} ({len(seen) - len(kept):,})", MISSING], codes)


def _quartiles(known: NDArray[np.float64], distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values, so that equal ones stay together; without the greatest, above which nothing is."""
    if not len(known):
        return distinct
    ends = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="inverted_cdf"))
    below: NDArray[np.float64] = ends[ends < distinct[-1]]
    return below


def bins(ends: Sequence[float], kind: Kind) -> list[str]:
    """How the cells between these edges are called."""
    if not ends:
        return ["all"]
    shown = [figure(float(v), kind) for v in ends]
    between = [f"above {low} to {high}" for low, high in itertools.pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"above {shown[-1]}"]


def _occurring(column: str, labels: Sequence[str], codes: NDArray[np.intp]) -> Cells:
    counts = np.bincount(codes, minlength=len(labels))
    held = np.flatnonzero(counts)
    place = np.zeros(len(labels), dtype=np.intp)
    place[held] = np.arange(len(held))
    return Cells(column, tuple(labels[int(at)] for at in held), place[codes])
