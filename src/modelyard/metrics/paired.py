"""Two models on the same rows: how far apart their metrics are, and how sure that is.

A difference is the first model's figure less the second's, in the metric's unit. ``error`` is its standard
error: DeLong's for the ROC area, that of the paired bootstrap for every other metric. Both models are
scored on the same resamples, so that what they have in common cancels (Efron and Tibshirani 1993, ch. 16).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.binary import Bools, Floats
from modelyard.metrics.bootstrap import blocks, how_many, strata
from modelyard.metrics.quantile import Quantiles, aim
from modelyard.metrics.score import encode_truth, higher_is_better, measure, names
from modelyard.records.package import Label, Task

_NORMAL = NormalDist()
_ROUNDING = 1e-12
"""0.98 - 0.975 is a little more than 0.005."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one model gave for the rows; ``probability`` [n, c] in the order of the classes that are given."""

    prediction: NDArray[np.generic]
    probability: Floats | None = None
    quantiles: Quantiles | None = None

    def take(self, rows: NDArray[np.intp]) -> Answered:
        """What it gave for these rows."""
        probability = None if self.probability is None else self.probability[rows]
        quantiles = None if self.quantiles is None else self.quantiles.take(rows)
        return Answered(self.prediction[rows], probability, quantiles)


@dataclass(frozen=True, slots=True)
class Gap:
    """``value`` less ``other``; ``error`` is NaN where it cannot be told."""

    value: float
    other: float
    error: float

    @property
    def difference(self) -> float:
        return self.value - self.other


def differences(
    task: Task,
    truth: NDArray[np.generic],
    one: Answered,
    other: Answered,
    classes: Sequence[Label],
    *,
    seed: int = 0,
    resamples: int | None = None,
) -> dict[str, Gap]:
    """Each metric that both models have, on the same rows; undefined ones are left out, and those that are better
    neither above nor below (``quantile.aim``).

    Arguments and errors as of ``metrics.score``, resampling as of ``metrics.intervals``.
    """
    measures = [measure(task, truth, a.prediction, a.probability, classes, a.quantiles) for a in (one, other)]
    whole = [scores(np.ones((1, len(truth)))) for scores in measures]
    levels = one.quantiles.levels if one.quantiles else ()
    shared = [
        n for n in names(task, levels, classes) if n in whole[0] and n in whole[1] and aim(n, levels) is None
    ]
    drawn: dict[str, list[Floats]] = {name: [] for name in shared}
    b = resamples or how_many(task, len(truth), len(classes))
    groups = strata(task, truth, classes)
    for weights in blocks(groups, len(truth), b, np.random.default_rng(seed)):
        found = [scores(weights) for scores in measures]
        for name in shared:
            drawn[name].append(found[0][name] - found[1][name])
    gaps = {}
    for name in shared:
        value, theirs = float(whole[0][name][0]), float(whole[1][name][0])
        if math.isfinite(value) and math.isfinite(theirs):
            gaps[name] = Gap(value, theirs, _deviation(np.concatenate(drawn[name])))
    if "roc_auc" in gaps and one.probability is not None and other.probability is not None:
        positive = encode_truth(truth, classes) == 1
        _, covariance = delong(positive, np.stack([one.probability[:, -1], other.probability[:, -1]]))
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        gaps["roc_auc"] = Gap(gaps["roc_auc"].value, gaps["roc_auc"].other, _root(float(variance)))
    return gaps


def delong(truth: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """ROC areas [k] of k scores [k, n] on the same rows, and their covariance [k, k].

    DeLong, DeLong and Clarke-Pearson (1988) by the mid-ranks of Sun and Xu (2014), in n log n. With fewer
    than two rows of either class the covariance is NaN.
    """
    m, n = int(truth.sum()), int((~truth).sum())
    if m == 0 or n == 0:
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    found, alarms = np.empty((len(scores), m)), np.empty((len(scores), n))
    for k, score in enumerate(scores):
        ranks = _midranks(score)
        found[k] = (ranks[truth] - _midranks(score[truth])) / n
        alarms[k] = 1 - (ranks[~truth] - _midranks(score[~truth])) / m
    areas = found.mean(axis=1)
    if m < 2 or n < 2:
        return areas, np.full((len(scores), len(scores)), np.nan)
    covariance = np.atleast_2d(np.cov(found)) / m + np.atleast_2d(np.cov(alarms)) / n
    return areas, covariance


def mcnemar(only_one: int, only_other: int) -> tuple[float, float]:
    """Two-sided p-values, exact and mid-p, of decisions that only one of two models has right.

    The exact test never errs too often, and often much too rarely; the mid-p test holds its level nearly
    always and finds more (Fagerland, Lydersen and Laake 2013), so it is the one to read.
    """
    n, k = only_one + only_other, min(only_one, only_other)
    if n == 0:
        return 1.0, 1.0
    i = np.arange(1, k + 1)
    chances = np.exp(np.concatenate([[0.0], np.cumsum(np.log(n - i + 1) - np.log(i))]) - n * math.log(2))
    tail, here = float(chances.sum()), float(chances[-1])
    return min(1.0, 2 * tail), min(1.0, 2 * tail - here)


def interval(difference: float, error: float, *, level: float = 0.95) -> tuple[float, float]:
    """The difference less and plus the normal quantile times its error."""
    reach = _NORMAL.inv_cdf((1 + level) / 2) * error
    return difference - reach, difference + reach


def p_no_worse(metric: str, difference: float, error: float, margin: float) -> float:
    """One-sided p of "worse than the other by the margin or more": small shows that it is not (non-inferiority)."""
    gain = difference if higher_is_better(metric) else -difference
    if math.isnan(error):
        return 1.0
    if error <= _ROUNDING:
        return 0.0 if gain + margin >= -_ROUNDING else 1.0
    return _NORMAL.cdf(-(gain + margin) / error)


def p_worse(metric: str, difference: float, error: float, margin: float) -> float:
    """One-sided p of "worse by at most the margin": small shows that it is worse by more (inferiority)."""
    gain = difference if higher_is_better(metric) else -difference
    if math.isnan(error):
        return 1.0
    if error <= _ROUNDING:
        return 0.0 if gain + margin < -_ROUNDING else 1.0
    return _NORMAL.cdf((gain + margin) / error)


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    return ranks


def _deviation(values: Floats) -> float:
    values = values[np.isfinite(values)]
    return _root(float(values.var(ddof=1))) if len(values) > 1 else math.nan


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance)) if math.isfinite(variance) else math.nan
