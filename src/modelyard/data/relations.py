"""How much two columns tell of one another, by ranks."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.records.datareport import Relation

MOST_LABELS = 100
"""Columns with more labels say nothing that would hold in other rows."""


def relation(a: pl.Series, b: pl.Series, *, classes: bool) -> Relation | None:
    """Between a column and ``b``; ``classes`` says that ``b`` counts as labels.

    None when fewer than three rows have both values, when one of them is constant, or when there are
    too many labels.
    """
    known = a.is_not_null() & b.is_not_null()
    a, b = a.filter(known), b.filter(known)
    if a.len() < 3 or a.n_unique() < 2 or b.n_unique() < 2:
        return None
    if _is_text(a) and not classes:
        found = relation(b, a, classes=True)
        return found and Relation(a=a.name, b=b.name, measure=found.measure, value=found.value)
    if not classes:
        rho = float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])
        return Relation(a=a.name, b=b.name, measure="spearman", value=rho)
    labels = b.cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
    count = int(labels.max()) + 1
    if count > MOST_LABELS:
        return None
    if _is_text(a):
        others = a.cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
        if int(others.max()) >= MOST_LABELS:
            return None
        return Relation(a=a.name, b=b.name, measure="cramers_v", value=_cramers_v(others, labels))
    ranks = _ranks(a)
    rows = np.bincount(labels, minlength=count)
    means = np.bincount(labels, weights=ranks, minlength=count) / rows
    if count == 2:
        value = 2 * float(means[1] - means[0]) / len(ranks)
        return Relation(a=a.name, b=b.name, measure="rank_biserial", value=value)
    between = float((rows * (means - ranks.mean()) ** 2).sum())
    total = float(((ranks - ranks.mean()) ** 2).sum())
    return Relation(a=a.name, b=b.name, measure="correlation_ratio", value=min(1.0, (between / total) ** 0.5))


def correlations(frame: pl.DataFrame) -> NDArray[np.float64]:
    """Spearman's between each two columns [n, n]; a missing value counts as the middle rank, a constant as 0."""
    ranks = np.empty((frame.height, frame.width))
    for at, column in enumerate(frame.get_columns()):
        rank = column.to_physical().rank("average").cast(pl.Float64)
        ranks[:, at] = (rank - (rank.mean() or 0.0)).fill_null(0.0).to_numpy()
    norms = np.sqrt((ranks**2).sum(axis=0))
    norms[norms == 0] = np.inf
    ranks /= norms
    return np.clip(ranks.T @ ranks, -1.0, 1.0)


def _is_text(series: pl.Series) -> bool:
    return series.dtype in (pl.String, pl.Boolean)


def _ranks(series: pl.Series) -> NDArray[np.float64]:
    return series.to_physical().rank("average").cast(pl.Float64).to_numpy()


def _cramers_v(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    rows, columns, n = int(a.max()) + 1, int(b.max()) + 1, len(a)
    table = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return min(1.0, (phi / least) ** 0.5) if least > 0 else 0.0
