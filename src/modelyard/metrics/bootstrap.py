"""Intervals of metrics: by resampling the test rows (percentiles; Efron and Tibshirani 1993, ch. 13), and
Wilson's for shares, which resampling leaves without width when all or none of a few rows are right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import multilabel, quantile
from modelyard.metrics.binary import Floats
from modelyard.metrics.quantile import Quantiles
from modelyard.metrics.score import encode_answers, encode_truth, measure
from modelyard.records.package import Label, Task

RESAMPLES = 1000
_FEWEST = 50
_WORK = 10_000_000
"""Rows (times classes) to score in all; keeps a large test set in seconds."""
_BLOCK = 200_000
"""Weights held at once (one resample at least): small enough for a cache."""


def intervals(
    task: Task,
    truth: NDArray[np.generic],
    prediction: NDArray[np.generic],
    probability: Floats | None,
    classes: Sequence[Label],
    *,
    quantiles: Quantiles | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int | None = None,
) -> dict[str, tuple[float, float]]:
    """Low and high end of each metric's interval; NaN where no resample defines it.

    Classification is resampled within each true class, so that no class is lost; several labels all rows together. A resample is a
    row of counts and all metrics are scored on a block of them at once. Without ``resamples`` it
    is 1,000, fewer (at least 50) where the rows are many, since the interval is then narrow.
    Arguments and errors as of ``score``.
    """
    scores = measure(task, truth, prediction, probability, classes, quantiles)
    groups = strata(task, truth, classes)
    b = resamples or how_many(task, len(truth), len(classes))
    found: dict[str, list[Floats]] = {}
    for weights in blocks(groups, len(truth), b, np.random.default_rng(seed)):
        for name, values in scores(weights).items():
            found.setdefault(name, []).append(values)
    ends = {name: _ends(np.concatenate(values), level) for name, values in found.items()}
    if task == "multilabel":
        true, said = (multilabel.encode(values, classes) for values in (truth, prediction))
        counts = multilabel.shares(true, said, classes)
        ends |= {name: wilson(hits, rows, level) for name, (hits, rows) in counts.items()}
    elif task != "regression":
        ends |= _shares(encode_truth(truth, classes), encode_answers(prediction, classes), task, level)
    if quantiles is not None:
        counted = quantile.shares(truth.astype(np.float64), quantiles)
        ends |= {name: wilson(hits, len(truth), level) for name, hits in counted.items()}
    return ends


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927; Brown, Cai and DasGupta 2001); all of [0, 1] for no rows."""
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, wide = hits / n, z * z / n
    centre, reach = share + wide / 2, z * math.sqrt(share * (1 - share) / n + wide / (4 * n))
    return max(0.0, (centre - reach) / (1 + wide)), min(1.0, (centre + reach) / (1 + wide))


def _shares(
    truth: NDArray[np.intp], prediction: NDArray[np.intp], task: Task, level: float
) -> dict[str, tuple[float, float]]:
    right = truth == prediction
    found = {"accuracy": wilson(int(right.sum()), len(right), level)}
    if task == "binary":
        for name, among in (
            ("recall", truth == 1),
            ("specificity", truth == 0),
            ("precision", prediction == 1),
        ):
            found[name] = wilson(int((right & among).sum()), int(among.sum()), level)
    return found


def strata(task: Task, truth: NDArray[np.generic], classes: Sequence[Label]) -> tuple[NDArray[np.intp], ...]:
    """The rows of each true class; of a regression and of several labels all rows."""
    if task in ("regression", "multilabel"):
        return (np.arange(len(truth)),)
    codes = encode_truth(truth, classes)
    return tuple(rows for k in range(len(classes)) if len(rows := np.flatnonzero(codes == k)))


def how_many(task: Task, rows: int, classes: int) -> int:
    """Resamples: 1,000, fewer (at least 50) where the rows are many."""
    width = rows * (max(1, classes) if task in ("multiclass", "multilabel") else 1)
    return int(np.clip(_WORK // max(1, width), _FEWEST, RESAMPLES))


def blocks(
    groups: Sequence[NDArray[np.intp]], n: int, resamples: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Counts [b, n] of each row in b resamples, ``resamples`` in all."""
    rows_at_once = max(1, _BLOCK // n)
    for start in range(0, resamples, rows_at_once):
        b = min(rows_at_once, resamples - start)
        counts = np.zeros((b, n))
        for rows in groups:
            m = len(rows)
            drawn = rng.integers(m, size=(b, m))
            drawn += np.arange(b)[:, None] * m
            counts[:, rows] = np.bincount(drawn.ravel(), minlength=b * m).reshape(b, m)
        yield counts


def _ends(values: Floats, level: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
