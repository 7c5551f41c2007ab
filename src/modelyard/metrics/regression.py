"""Scores of numbers.

Arguments throughout: ``truth`` and ``prediction`` float [n], in the target's unit. ``weights`` as
in ``binary``.
"""

from __future__ import annotations

import numpy as np

from modelyard.metrics.binary import Floats, ratio, sums


def r2(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Share of variance explained, at most 1; NaN for fewer than two rows.

    A constant truth gives 1 when it is met exactly and 0 otherwise, as in scikit-learn.
    """
    w = _weights(truth, weights)
    squares = sums(w, (truth - prediction) ** 2)
    return explained(squares, around_mean(truth, w), len(truth))


def around_mean(truth: Floats, weights: Floats) -> Floats:
    """Weighted squares about the weighted mean; what is only rounding is 0."""
    centred = truth - truth.mean()  # squares about a far mean would cancel
    total, squares = weights.sum(axis=-1), sums(weights, centred**2)
    around = squares - ratio(sums(weights, centred) ** 2, total)
    eps = np.finfo(np.float64).eps
    noise = 16 * eps * squares + total * (4 * eps * np.abs(truth).max()) ** 2
    return np.where(around > noise, around, 0.0)


def explained(left: Floats, around: Floats, n: int) -> Floats:
    """R² from the squares left over and the squares around the mean."""
    share = np.where(around > 0, 1 - ratio(left, around), np.where(left > 0, 0.0, 1.0))
    return share if n >= 2 else np.full(np.shape(share), np.nan)


def rmse(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Root of the mean squared error, in the target's unit."""
    return np.sqrt(_mean((truth - prediction) ** 2, weights))


def mae(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Mean absolute error, in the target's unit."""
    return _mean(np.abs(truth - prediction), weights)


def median_absolute_error(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Median absolute error, in the target's unit; the mean of the middle two for even weight."""
    error = np.abs(truth - prediction)
    order = np.argsort(error, kind="stable")
    return ranked_median(error[order], _weights(truth, weights)[..., order])


def ranked_median(rising: Floats, weights: Floats) -> Floats:
    """Median of rising values; the mean of the middle two where the weight is halved between them."""
    heaped = np.cumsum(weights, axis=-1)
    half = heaped[..., -1:] / 2
    last = len(rising) - 1
    lower = np.minimum((heaped < half).sum(axis=-1), last)
    upper = np.minimum((heaped <= half).sum(axis=-1), last)
    return np.asarray((rising[lower] + rising[upper]) / 2)


def mape(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Mean absolute error as a share of the true value; NaN when a true value is 0."""
    if np.any(truth == 0):
        return np.full(_weights(truth, weights).shape[:-1], np.nan)
    return _mean(np.abs((truth - prediction) / truth), weights)


def _mean(error: Floats, weights: Floats | None) -> Floats:
    w = _weights(error, weights)
    return ratio(sums(w, error), w.sum(axis=-1))


def _weights(truth: Floats, weights: Floats | None) -> Floats:
    return np.ones(len(truth)) if weights is None else weights
