"""Whether rows as a whole differ from those the model learnt from: can a classifier tell them apart?

Two folds: trees learn on one half which rows are the window's, and are asked about the other, both ways round. Given the trees,
the area under the ROC curve of rows that they never saw is a Mann-Whitney statistic, so its null distribution is known. Both
halves' z-values are averaged, not added up: they depend on each other, and the mean is at most as spread as one.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from modelyard.monitoring.draft import Draft
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.raw import MOST, columns
from modelyard.records.finding import Detail

ROWS = 4000
"""Of each side, at most: what trees learn in about a second."""
LEAST = 100
"""Fewer rows on a side teach trees nothing."""
TOLD = 5
"""Columns that are named."""
_LABELS = 60
"""Labels of a column that trees are told apart; rarer ones are one."""
_RARE = 10
Matrix = NDArray[np.float64]
Sides = NDArray[np.int64]


def domain(evidence: Evidence) -> Iterator[Draft]:
    """Nothing where the settings do not ask for it, or the rows that were learnt from are not in the yard."""
    settings = evidence.settings
    if settings.method != "calibrated" or not settings.multivariate or evidence.schema is None:
        return
    learnt, window = evidence.learnt(MOST), evidence.seen()
    if learnt is None or min(len(learnt), len(window)) < LEAST:
        return
    learnt, window = learnt.drawn(ROWS), window.drawn(ROWS)
    names, table = _table(columns(learnt, evidence.schema), columns(window, evidence.schema))
    if len(names) < 2:
        return
    side = np.repeat([0, 1], [len(learnt), len(window)])
    fold = _halves(table)
    if min(np.bincount(2 * fold + side, minlength=4)) >= LEAST // 4:
        yield _told(names, table, side, fold)


def _told(names: list[str], table: Matrix, side: Sides, fold: Sides) -> Draft:
    n, m = np.bincount(side).tolist()
    area, z, drives = _apart(table, side, fold)
    shift = max(0.0, math.sqrt(2) * float(ndtri(min(area, 1 - 1e-9))))
    told = "rows as a whole can be told from those that the model learnt from"
    most = [names[at] for at in np.argsort(-drives)[:TOLD] if drives[at] > 0.005]
    details = tuple(
        Detail(
            name=names[at], reference=0.0, window=0.0, contribution=float(drives[at] / drives.clip(0).sum())
        )
        for at in np.argsort(-drives)[:TOLD]
        if drives[at] > 0.005
    )
    by = f", most by {', '.join(most)}" if most else ""
    return Draft(
        kind="multivariate_drift",
        column="",
        statistic="auc",
        value=area,
        p=float(ndtr(-z)),
        effect=shift * shift,
        reference_rows=n,
        window_rows=m,
        change=f"{told} (AUC {area:.3f}){by}",
        calm=f"rows as a whole cannot be told from those that the model learnt from (AUC {area:.3f})",
        details=details,
        sees=functools.partial(_smallest, n // 2, m // 2),
    )


def _smallest(n: int, m: int, alpha: float) -> float:
    """The shift of a normal column whose AUC is found in four windows of five, could trees make all of it."""
    z = float(ndtri(1 - alpha)) + float(ndtri(0.8))
    area = min(0.5 + z * math.sqrt((n + m + 1) / (12 * n * m)), 1 - 1e-9)
    return math.sqrt(2) * float(ndtri(area))


def _table(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], Matrix]:
    """Both sides' columns as numbers, one below the other.

    Which labels are frequent is told from both sides together: under the null each side is as likely to have a row, and the
    choice favours neither.
    """
    names: list[str] = []
    cells = []
    for name, (_, values) in before.items():
        together = np.concatenate([values, after[name][1]])
        if together.dtype != np.float64:
            counts = Counter(label for label in together.tolist() if label is not None)
            kept = [label for label, n in counts.most_common(_LABELS) if n >= _RARE]
            codes = {label: float(at + 1) for at, label in enumerate(sorted(kept))}
            together = np.array([math.nan if v is None else codes.get(v, 0.0) for v in together.tolist()])
        if len(np.unique(together[np.isfinite(together)])) > 1:
            names.append(name)
            cells.append(together)
    return names, np.column_stack(cells) if cells else np.empty((0, 0))


def _halves(table: Matrix) -> Sides:
    """Equal rows stay in one half: else trees would know again what they are asked about."""
    return (pl.DataFrame(table).hash_rows(seed=7) % 2).to_numpy().astype(np.int64)


def _apart(table: Matrix, side: Sides, fold: Sides) -> tuple[float, float, Matrix]:
    """AUC, z and, for each column, how much of the AUC is lost when it is shuffled; means over both halves."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(0)
    areas, zs, drives = [], [], np.zeros(table.shape[1])
    finite = np.clip(table, -1e300, 1e300)
    with threadpool_limits(1):  # threads that wait for each other on few rows take ten times as long
        for half in (0, 1):
            trees = HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=8, min_samples_leaf=20, learning_rate=0.1, random_state=0
            )
            trees.fit(finite[fold != half], side[fold != half])
            asked, truth = finite[fold == half], side[fold == half]
            area, z = _mann_whitney(trees.predict_proba(asked)[:, 1], truth)
            areas.append(area)
            zs.append(z)
            if z > 2:  # else there is nothing to share out
                drives += [area - _without(trees, asked, truth, at, random) for at in range(table.shape[1])]
    return float(np.mean(areas)), float(np.mean(zs)), drives / 2


def _without(trees: Any, asked: Matrix, truth: Sides, at: int, random: np.random.Generator) -> float:
    shuffled = asked.copy()
    shuffled[:, at] = random.permutation(shuffled[:, at])
    return _mann_whitney(trees.predict_proba(shuffled)[:, 1], truth)[0]


def _mann_whitney(scores: Matrix, truth: Sides) -> tuple[float, float]:
    """The area under the ROC curve and its z-value under the null, with its correction for ties."""
    ranks = rankdata(scores)
    n, m = int((truth == 0).sum()), int((truth == 1).sum())
    area = (float(ranks[truth == 1].sum()) - m * (m + 1) / 2) / (n * m)
    total = n + m
    _, ties = np.unique(scores, return_counts=True)
    variance = (total + 1 - float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))) / (
        12 * n * m
    )
    return area, (area - 0.5) / math.sqrt(variance) if variance > 0 else 0.0
