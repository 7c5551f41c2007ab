"""Scores and curves of two-class answers.

Arguments throughout: ``truth`` and ``prediction`` bool [n], True for the positive class;
``probability`` float [n] in [0, 1], the positive class's. ``weights`` float [n] or [b, n], not
negative, defaults to ones; a score has the shape of its leading axes, so that [b, n] scores b
resamples at once. Where a ratio has no denominator the score follows scikit-learn: 0 for
precision, recall, F1 and MCC, NaN for ROC AUC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rows by falling probability: sorted once, weighted as often as one likes."""

    order: NDArray[np.intp]
    positive: Bools
    """In that order."""
    ends: NDArray[np.intp]
    """Where each run of equal probabilities ends."""


def confusion(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Weights [..., 2, 2]: true class in rows, predicted in columns, negative first."""
    w = _weights(truth, weights)
    cells: Floats = sums(w, cell_columns(truth, prediction))
    return cells.reshape(*w.shape[:-1], 2, 2)


def cell_columns(truth: Bools, prediction: Bools) -> Floats:
    """Which cell of the confusion matrix each row is in, [4, n] of 0 and 1."""
    masks = [(truth == t) & (prediction == p) for t in (False, True) for p in (False, True)]
    return np.stack(masks).astype(np.float64)


def accuracy(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Share of right answers."""
    return label_scores(confusion(truth, prediction, weights))["accuracy"]


def balanced_accuracy(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Mean of each class's recall, over the classes that occur."""
    return label_scores(confusion(truth, prediction, weights))["balanced_accuracy"]


def precision(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Share of positive answers that are right; 0 when there is none."""
    return label_scores(confusion(truth, prediction, weights))["precision"]


def recall(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Share of positives that were found (sensitivity); 0 when there is none."""
    return label_scores(confusion(truth, prediction, weights))["recall"]


def specificity(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Share of negatives that were left alone; 0 when there is none."""
    return label_scores(confusion(truth, prediction, weights))["specificity"]


def f1(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Harmonic mean of precision and recall."""
    return label_scores(confusion(truth, prediction, weights))["f1"]


def mcc(truth: Bools, prediction: Bools, weights: Floats | None = None) -> Floats:
    """Matthews correlation coefficient in [-1, 1] (Matthews 1975); 0 when a margin is empty."""
    return label_scores(confusion(truth, prediction, weights))["mcc"]


def label_scores(cells: Floats) -> dict[str, Floats]:
    """All scores that need only the confusion weights [..., 2, 2]."""
    tn, fp, fn, tp = cells[..., 0, 0], cells[..., 0, 1], cells[..., 1, 0], cells[..., 1, 1]
    sensitivity, specific = ratio(tp, tp + fn), ratio(tn, tn + fp)
    occurring = (tp + fn > 0).astype(np.float64) + (tn + fp > 0)
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return {
        "accuracy": ratio(tp + tn, cells.sum(axis=(-2, -1))),
        "balanced_accuracy": ratio(sensitivity + specific, occurring),
        "precision": ratio(tp, tp + fp),
        "recall": sensitivity,
        "specificity": specific,
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": ratio(tp * tn - fp * fn, margins),
    }


def roc_auc(truth: Bools, probability: Floats, weights: Floats | None = None) -> Floats:
    """Chance that a positive ranks above a negative, ties counting half; NaN with one class."""
    return area(*heaps(rank(truth, probability), _weights(truth, weights)))


def average_precision(truth: Bools, probability: Floats, weights: Floats | None = None) -> Floats:
    """Sum of precision times the gain in recall over the thresholds; 0 without positives."""
    return stepped_area(*heaps(rank(truth, probability), _weights(truth, weights)))


def log_loss(truth: Bools, probability: Floats, weights: Floats | None = None) -> Floats:
    """Mean negative log likelihood in nats; probabilities are clipped to [eps, 1 - eps]."""
    w = _weights(truth, weights)
    return ratio(sums(w, surprise(np.where(truth, probability, 1 - probability))), w.sum(axis=-1))


def surprise(given: Floats) -> Floats:
    """Negative log of the probabilities that were given to what happened."""
    eps = np.finfo(np.float64).eps
    return -np.log(np.clip(given, eps, 1 - eps))


def brier(truth: Bools, probability: Floats, weights: Floats | None = None) -> Floats:
    """Mean squared distance of probability and outcome, in [0, 1] (Brier 1950)."""
    w = _weights(truth, weights)
    return ratio(sums(w, (probability - truth) ** 2), w.sum(axis=-1))


def expected_calibration_error(truth: Bools, probability: Floats, weights: Floats | None = None) -> Floats:
    """Mean distance of probability and observed share over ten equal bins, weighted by their rows.

    In [0, 1]; Naeini, Cooper and Hauskrecht (2015), for the positive class.
    """
    w = _weights(truth, weights)
    return ratio(np.abs(sums(w, gap_columns(truth, probability))).sum(axis=-1), w.sum(axis=-1))


def gap_columns(truth: Bools, probability: Floats) -> Floats:
    """Probability less outcome in the line of the row's bin, [10, n], else 0."""
    gaps = np.zeros((CALIBRATION_BINS, len(truth)))
    gaps[_bins(probability), np.arange(len(truth))] = probability - truth
    return gaps


def roc(truth: Bools, probability: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates, from (0, 0) to (1, 1); corners only, no point between two on a line."""
    found, alarms = heaps(rank(truth, probability), np.ones(len(truth)))
    x = np.concatenate([[0.0], ratio(alarms, alarms[-1])])
    y = np.concatenate([[0.0], ratio(found, found[-1])])
    corner = np.ones(len(x), dtype=bool)
    dx, dy = np.diff(x), np.diff(y)
    corner[1:-1] = ~np.isclose(dx[:-1] * dy[1:], dx[1:] * dy[:-1], rtol=1e-9, atol=0)
    return x[corner], y[corner]


def precision_recall(truth: Bools, probability: Floats) -> tuple[Floats, Floats]:
    """Recall and precision at each threshold, by growing recall, from (0, 1)."""
    found, alarms = heaps(rank(truth, probability), np.ones(len(truth)))
    x = np.concatenate([[0.0], ratio(found, found[-1])])
    y = np.concatenate([[1.0], ratio(found, found + alarms)])
    return x, y


def calibration(truth: Bools, probability: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Mean probability, observed share and rows of each of ten equal bins that holds any."""
    bins = _bins(probability)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    held = counts > 0
    mean = np.bincount(bins, weights=probability, minlength=CALIBRATION_BINS)[held] / counts[held]
    share = np.bincount(bins, weights=truth, minlength=CALIBRATION_BINS)[held] / counts[held]
    return mean, share, counts[held].astype(np.int64)


def sums(weights: Floats, values: Floats) -> Floats:
    """Weighted sums [...] of values [n], or [..., k] of k lines of values [k, n].

    Not by matrix multiplication, whose threads wait for one another on a busy machine: that was
    thirty times slower there.
    """
    return np.asarray(np.einsum("...n,n->..." if values.ndim == 1 else "...n,kn->...k", weights, values))


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient, 0 where the denominator is 0."""
    out = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)
    return out


def rank(truth: Bools, probability: Floats) -> Ranking:
    """The rows by falling probability."""
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    return Ranking(order, truth[order], ends)


def heaps(ranking: Ranking, weights: Floats) -> tuple[Floats, Floats]:
    """Weights [..., g] of positives and negatives at or above each distinct probability, falling."""
    falling = np.take(weights, ranking.order, axis=-1)
    found = np.cumsum(falling * ranking.positive, axis=-1).take(ranking.ends, axis=-1)
    alarms = np.cumsum(falling, axis=-1).take(ranking.ends, axis=-1) - found
    return found, alarms


def area(found: Floats, alarms: Floats) -> Floats:
    """Area under the ROC curve of such heaps, by trapezia; NaN when either is empty."""
    steps = np.diff(alarms, axis=-1, prepend=0.0)
    heights = found - np.diff(found, axis=-1, prepend=0.0) / 2
    pairs = found[..., -1] * alarms[..., -1]
    out = np.full(np.shape(pairs), np.nan)
    np.divide(np.einsum("...i,...i->...", steps, heights), pairs, out=out, where=np.asarray(pairs) > 0)
    return out


def stepped_area(found: Floats, alarms: Floats) -> Floats:
    """Area under the precision-recall curve of such heaps, by steps; 0 without positives."""
    gains = np.diff(found, axis=-1, prepend=0.0)
    return ratio(np.einsum("...i,...i->...", gains, ratio(found, found + alarms)), found[..., -1])


def _bins(probability: Floats) -> NDArray[np.intp]:
    return np.minimum((probability * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def _weights(truth: Bools, weights: Floats | None) -> Floats:
    return np.ones(len(truth)) if weights is None else weights
