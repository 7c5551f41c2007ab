"""A metric's bound as a mean that is no more than 0 as long as the bound holds, row by row or pair by pair.

Each metric here is a mean, or a ratio of means, of what single rows or disjoint pairs of rows say; a bound on it is
one on a mean (``N/D >= b`` is ``E[bD - N] <= 0``). A term is divided by the most that it can lose, so that it is at least
-1. What a loss can be at most does not matter: only that it is not negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.binary import surprise
from modelyard.metrics.quantile import Quantiles, pinball
from modelyard.records.package import Task

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
JUDGED = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "brier",
        "f1",
        "log_loss",
        "mae",
        "mape",
        "median_absolute_error",
        "pinball",
        "precision",
        "recall",
        "rmse",
        "roc_auc",
        "specificity",
    }
)
"""Metrics of which a bound can be judged so."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows whose outcome is known, in the order in which that came to be known.

    ``truth`` and ``prediction`` [n] are places among ``classes`` or numbers; ``window`` [n] numbers the windows in which
    they were predicted, from 0.
    """

    task: Task
    classes: int
    truth: NDArray[np.generic]
    prediction: NDArray[np.generic]
    probability: Floats | None
    window: Places
    quantiles: Quantiles | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: Places) -> Judged:
        return Judged(
            self.task,
            self.classes,
            self.truth[rows],
            self.prediction[rows],
            None if self.probability is None else self.probability[rows],
            self.window[rows],
            None if self.quantiles is None else self.quantiles.take(rows),
        )


@dataclass(frozen=True, eq=False)
class Terms:
    """``values`` [m], each at least -1, with the window of each."""

    values: Floats
    window: Places


@dataclass(frozen=True, eq=False)
class Rated:
    """The rows that a rate is a share of, in the order in which they came to be known: whether each counts, its group and
    its window [n]."""

    hit: NDArray[np.bool_]
    group: Places
    window: Places

    def of(self, group: int) -> tuple[Floats, Places]:
        """The hits of a group, and the place of each: its window, and the how manieth of the group in it it is."""
        rows = np.flatnonzero(self.group == group)
        rows = rows[np.argsort(self.window[rows], kind="stable")]
        window = self.window[rows]
        nth = np.arange(len(rows)) - np.searchsorted(window, window, side="left")
        return self.hit[rows].astype(np.float64), window * (len(self.hit) + 1) + nth


def terms(metric: str, bound: float, rows: Judged, *, share: int = 1) -> Terms | None:
    """What ``rows`` say against the metric's being at least ``bound``, or at most where less is better.

    None where it is no such mean, or the rows lack what it needs. ``share`` is how many rows of one class of two there are
    to one of the other, by which they are matched for ``roc_auc``.
    """
    if rows.task == "regression":
        return _of_numbers(metric, bound, rows)
    if metric in ("log_loss", "brier"):
        return None if rows.probability is None else _of_chances(metric, bound, rows)
    if metric == "roc_auc":
        return None if rows.probability is None or rows.task != "binary" else _of_ranks(bound, rows, share)
    right = (rows.truth == rows.prediction).astype(np.float64)
    if metric == "accuracy":
        return _at_least(bound, right, rows.window)
    if metric == "balanced_accuracy":
        return _of_each_class(bound, right, rows)
    if rows.task != "binary":
        return None
    true, said = rows.truth == 1, rows.prediction == 1
    among = {"recall": true, "specificity": ~true, "precision": said}.get(metric)
    if among is not None:
        return _at_least(bound, right[among], rows.window[among])
    if metric == "f1":
        value = np.where(true & said, 2 * bound - 2, np.where(true | said, bound, 0.0))
        return _scaled(value, 2 - 2 * bound, rows.window)
    return None


def apart(rate: Rated, pair: tuple[int, int], *, max_gap: float | None, min_ratio: float) -> Terms:
    """What rows say against the rate of the first group of ``pair`` being at most ``max_gap`` above that of the second, or
    without it against the second's being at least ``min_ratio`` of the first's.

    One row of each group, as they came, within one window; how many of a group there are says nothing about its rate.
    """
    (high, at_high), (low, at_low) = (rate.of(group) for group in pair)
    _, a, b = np.intersect1d(at_high, at_low, assume_unique=True, return_indices=True)
    window = at_high[a] // (len(rate.hit) + 1)
    if max_gap is not None:
        return _scaled(high[a] - low[b] - max_gap, 1 + max_gap, window)
    return _scaled(min_ratio * high[a] - low[b], 1.0, window)


def _of_numbers(metric: str, bound: float, rows: Judged) -> Terms | None:
    truth = rows.truth.astype(np.float64)
    if metric == "pinball" and rows.quantiles is not None:
        loss = pinball(truth, rows.quantiles.values, rows.quantiles.levels).mean(axis=1)
        return _at_most(bound, loss, rows.window)
    error = np.abs(truth - rows.prediction.astype(np.float64))
    with np.errstate(over="ignore"):
        if metric == "mae":
            return _at_most(bound, error, rows.window)
        if metric == "rmse":
            return _at_most(bound**2, error**2, rows.window)
    if metric == "mape" and (truth != 0).all():
        return _at_most(bound, error / np.abs(truth), rows.window)
    if metric == "median_absolute_error":
        return _at_most(0.5, (error > bound).astype(np.float64), rows.window)
    return None


def _of_chances(metric: str, bound: float, rows: Judged) -> Terms | None:
    assert rows.probability is not None
    truth = rows.truth.astype(np.intp)
    given = rows.probability[np.arange(len(rows)), truth]
    if metric == "log_loss":
        return _at_most(bound, surprise(given), rows.window)
    return _at_most(bound, (1 - given) ** 2, rows.window) if rows.task == "binary" else None


def _of_ranks(bound: float, rows: Judged, share: int) -> Terms:
    """Each row of the rarer class beside ``share`` of the other, as they came, within one window: how many of these it
    is above is on average the area."""
    assert rows.probability is not None
    score = rows.probability[:, -1]
    found, windows = [], []
    size = abs(share)
    for window in np.unique(rows.window):
        here = rows.window == window
        positive, negative = score[here & (rows.truth == 1)], score[here & (rows.truth != 1)]
        few, many = (positive, negative) if share > 0 else (negative, positive)
        m = min(len(few), len(many) // size)
        beside = many[: m * size].reshape(m, size)
        above = np.where(few[:m, None] == beside, 0.5, few[:m, None] > beside).mean(axis=1)
        found.append(above if share > 0 else 1 - above)
        windows.append(np.full(m, window))
    return _at_least(bound, np.concatenate(found), np.concatenate(windows))


def _of_each_class(bound: float, right: Floats, rows: Judged) -> Terms:
    """One row of each class, as they came, within one window."""
    found, windows = [], []
    for window in np.unique(rows.window):
        here = rows.window == window
        by_class = [right[here & (rows.truth == k)] for k in range(rows.classes)]
        m = min(map(len, by_class))
        found.append(np.mean([values[:m] for values in by_class], axis=0))
        windows.append(np.full(m, window))
    return _at_least(bound, np.concatenate(found), np.concatenate(windows))


def _at_least(bound: float, share: Floats, window: Places) -> Terms:
    """Against a mean of shares in [0, 1] that is at least the bound."""
    return _scaled(bound - share, 1 - bound, window)


def _at_most(bound: float, loss: Floats, window: Places) -> Terms:
    """Against a mean of losses from 0 upwards that is at most the bound."""
    return _scaled(loss - bound, bound, window)


def _scaled(value: Floats, most: float, window: Places) -> Terms:
    # a bound of no error at all is broken by any; by less than a millionth it is no error
    scale = max(most, 1e-6)
    return Terms(np.clip(np.minimum(value, math.inf) / scale, -1.0, 1e12), window.astype(np.intp))
