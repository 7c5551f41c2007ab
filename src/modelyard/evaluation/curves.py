"""What a report's charts are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import binary, multiclass
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.package import Label, Task
from modelyard.records.report import Curve

_POINTS = 400
_DOTS = 1000


def confusion(
    task: Task, truth: NDArray[Any], prediction: NDArray[Any], classes: Sequence[Label]
) -> tuple[tuple[int, ...], ...]:
    """Counts [c, c], true classes in rows; empty for regression."""
    if task == "regression":
        return ()
    cells = multiclass.confusion(
        encode_truth(truth, classes), encode_answers(prediction, classes), len(classes)
    )
    return tuple(tuple(int(cell) for cell in row) for row in cells)


def curves(
    task: Task,
    truth: NDArray[Any],
    prediction: NDArray[Any],
    probability: NDArray[np.float64] | None,
    classes: Sequence[Label],
    *,
    seed: int,
) -> tuple[Curve, ...]:
    """``roc``, ``precision_recall`` and ``calibration`` for two classes, ``residuals`` for numbers.

    ``residuals`` has predictions in x and truth less prediction in y, of at most 1,000 rows chosen
    by ``seed``; the others at most 400 points.
    """
    if task == "regression":
        return (_residuals(truth.astype(np.float64), prediction.astype(np.float64), seed),)
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


def _thinned(name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """Points at even steps of the way along the curve, the ends kept."""
    if len(x) > _POINTS:
        way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        at = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], _POINTS)).clip(0, len(x) - 1))
        x, y = x[at], y[at]
    return Curve(name=name, x=_floats(x), y=_floats(y))


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
