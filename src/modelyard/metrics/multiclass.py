"""Scores of answers with more than two classes.

Arguments throughout: ``truth`` and ``prediction`` int [n], positions among ``c`` classes;
``probability`` float [n, c], rows summing to one. ``weights`` as in ``binary``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import binary
from modelyard.metrics.binary import Floats, ratio

Codes = NDArray[np.intp]


def confusion(truth: Codes, prediction: Codes, c: int, weights: Floats | None = None) -> Floats:
    """Weights [..., c, c]: true class in rows, predicted in columns."""
    w = np.ones(len(truth)) if weights is None else weights
    cell = truth * c + prediction
    rows = w.reshape(-1, w.shape[-1])
    flat = [np.bincount(cell, weights=row, minlength=c * c) for row in rows]
    return np.array(flat, dtype=np.float64).reshape(*w.shape[:-1], c, c)


def accuracy(truth: Codes, prediction: Codes, c: int, weights: Floats | None = None) -> Floats:
    """Share of right answers."""
    return label_scores(confusion(truth, prediction, c, weights))["accuracy"]


def balanced_accuracy(truth: Codes, prediction: Codes, c: int, weights: Floats | None = None) -> Floats:
    """Mean of each class's recall, over the classes that occur."""
    return label_scores(confusion(truth, prediction, c, weights))["balanced_accuracy"]


def f1_macro(truth: Codes, prediction: Codes, c: int, weights: Floats | None = None) -> Floats:
    """Mean of each class's F1, over the classes that occur or were answered."""
    return label_scores(confusion(truth, prediction, c, weights))["f1_macro"]


def label_scores(cells: Floats) -> dict[str, Floats]:
    """All scores that need only the confusion weights [..., c, c]."""
    right = np.diagonal(cells, axis1=-2, axis2=-1)
    actual, answered = cells.sum(axis=-1), cells.sum(axis=-2)
    seen, touched = actual > 0, actual + answered > 0
    return {
        "accuracy": ratio(right.sum(axis=-1), actual.sum(axis=-1)),
        "balanced_accuracy": ratio(ratio(right, actual).sum(axis=-1), seen.sum(axis=-1)),
        "f1_macro": ratio(ratio(2 * right, actual + answered).sum(axis=-1), touched.sum(axis=-1)),
    }


def log_loss(truth: Codes, probability: Floats, weights: Floats | None = None) -> Floats:
    """Mean negative log likelihood in nats; probabilities are clipped to [eps, 1 - eps]."""
    w = np.ones(len(truth)) if weights is None else weights
    return ratio(binary.sums(w, binary.surprise(probability[np.arange(len(truth)), truth])), w.sum(axis=-1))


def roc_auc_ovr(truth: Codes, probability: Floats, weights: Floats | None = None) -> Floats:
    """Mean over classes of the ROC AUC of that class against the rest; NaN when a class is absent."""
    w = np.ones(len(truth)) if weights is None else weights
    return mean_area(rankings(truth, probability), w)


def rankings(truth: Codes, probability: Floats) -> tuple[binary.Ranking, ...]:
    """For each class the rows by its falling probability."""
    return tuple(binary.rank(truth == k, probability[:, k]) for k in range(probability.shape[1]))


def mean_area(rankings: tuple[binary.Ranking, ...], weights: Floats) -> Floats:
    """Mean of the ROC areas of such rankings."""
    areas = [binary.area(*binary.heaps(ranking, weights)) for ranking in rankings]
    return np.asarray(np.mean(areas, axis=0), dtype=np.float64)
