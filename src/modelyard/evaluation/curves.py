"""What a report's charts are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import Answered, Quantiles, binary, multiclass, quantile, wilson
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.package import Label, Task
from modelyard.records.report import Curve

_POINTS = 400
_DOTS = 1000
_FANNED = 160
_TAIL = 60
"""Residuals at either end that a thinned QQ plot keeps all of."""


def confusion(
    task: Task, truth: NDArray[Any], prediction: NDArray[Any], classes: Sequence[Label]
) -> tuple[tuple[int, ...], ...]:
    """Counts [c, c], true classes in rows; empty for regression and for several labels, which each have their own."""
    if task in ("regression", "multilabel"):
        return ()
    cells = multiclass.confusion(
        encode_truth(truth, classes), encode_answers(prediction, classes), len(classes)
    )
    return tuple(tuple(int(cell) for cell in row) for row in cells)


def curves(
    task: Task,
    truth: NDArray[Any],
    answers: Answered,
    classes: Sequence[Label],
    *,
    seed: int,
) -> tuple[Curve, ...]:
    """``roc``, ``precision_recall`` and ``calibration`` for two classes, ``residuals`` and ``qq`` for numbers, for
    quantiles ``quantiles`` and, of more than one, ``fan``.

    ``residuals`` has predictions in x and truth less prediction in y, of at most 1,000 rows chosen
    by ``seed``; ``qq`` the normal distribution's quantiles in x and in y the residuals, less their mean in
    standard deviations; ``quantiles`` the levels in x and in y the share of truths at or below; ``fan``
    predictions in x, truths in y and the interval's ends. The others have at most 400 points.
    """
    probability = answers.probability
    if task == "regression":
        true = truth.astype(np.float64)
        prediction = answers.prediction.astype(np.float64)
        found = [_residuals(true, prediction, seed), *_qq(true - prediction)]
        if answers.quantiles is not None:
            found += _levels(true, prediction, answers.quantiles)
        return tuple(found)
    if task != "binary" or probability is None:
        return ()
    positive = encode_truth(truth, classes) == 1
    score = np.clip(probability[:, 1], 0.0, 1.0)
    mean, share, counts = binary.calibration(positive, score)
    calibration = Curve(
        name="calibration", x=_floats(mean), y=_floats(share), counts=tuple(int(c) for c in counts)
    )
    if positive.all() or not positive.any():
        return (calibration,)
    return (
        _thinned("roc", *binary.roc(positive, score)),
        _thinned("precision_recall", *binary.precision_recall(positive, score)),
        calibration,
    )


def _residuals(truth: NDArray[np.float64], prediction: NDArray[np.float64], seed: int) -> Curve:
    rows = np.arange(len(truth))
    if len(rows) > _DOTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _DOTS, replace=False))
    return Curve(name="residuals", x=_floats(prediction[rows]), y=_floats((truth - prediction)[rows]))


def _qq(residuals: NDArray[np.float64]) -> list[Curve]:
    """Nothing where the residuals have no spread to measure in."""
    n, spread = len(residuals), residuals.std(ddof=1) if len(residuals) > 2 else 0.0
    if not spread or not np.isfinite(spread):
        return []
    at = np.arange(n)
    if n > _POINTS:
        at = np.unique(
            np.concatenate([at[:_TAIL], np.linspace(0, n - 1, _POINTS).astype(np.intp), at[-_TAIL:]])
        )
    normal = NormalDist()
    expected = np.array([normal.inv_cdf((i + 0.5) / n) for i in at.tolist()])
    return [
        Curve(
            name="qq", x=_floats(expected), y=_floats(((np.sort(residuals) - residuals.mean()) / spread)[at])
        )
    ]


def _levels(truth: NDArray[np.float64], prediction: NDArray[np.float64], found: Quantiles) -> list[Curve]:
    hits = quantile.below(truth, found.values).sum(axis=0).tolist()
    ends = [wilson(hit, len(truth)) for hit in hits]
    curves = [
        Curve(
            name="quantiles",
            x=found.levels,
            y=tuple(hit / len(truth) for hit in hits),
            low=tuple(low for low, _ in ends),
            high=tuple(high for _, high in ends),
        )
    ]
    if len(found.levels) > 1:
        at = np.argsort(prediction, kind="stable")
        at = at[np.unique(np.linspace(0, len(at) - 1, min(len(at), _FANNED)).astype(np.intp))]
        low, high = found.values[at, 0], found.values[at, -1]
        fan = Curve(
            name="fan", x=_floats(prediction[at]), y=_floats(truth[at]), low=_floats(low), high=_floats(high)
        )
        curves.append(fan)
    return curves


def _thinned(name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """Points at even steps of the way along the curve, the ends kept."""
    if len(x) > _POINTS:
        way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        at = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], _POINTS)).clip(0, len(x) - 1))
        x, y = x[at], y[at]
    return Curve(name=name, x=_floats(x), y=_floats(y))


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
