"""Scores of numbers.

Arguments throughout: ``truth`` and ``prediction`` float [n], in the target's unit. ``weights`` as
in ``binary``.
"""

from __future__ import annotations

import numpy as np

from modelyard.metrics.binary import Floats, ratio


def r2(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Share of variance explained, at most 1; NaN for fewer than two rows.

    A constant truth gives 1 when it is met exactly and 0 otherwise, as in scikit-learn.
    """
    w = _weights(truth, weights)
    total = w.sum(axis=-1)
    mean = ratio(w @ truth, total)
    around = np.einsum("...i,...i->...", w, (truth - np.asarray(mean)[..., None]) ** 2)
    left = w @ (truth - prediction) ** 2
    explained = 1 - ratio(left, around)
    explained = np.where(around > 0, explained, np.where(left > 0, 0.0, 1.0))
    return np.where(len(truth) >= 2, explained, np.nan)


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
    heaped = np.cumsum(_weights(truth, weights)[..., order], axis=-1)
    half = heaped[..., -1:] / 2
    last = len(error) - 1
    lower = np.minimum((heaped < half).sum(axis=-1), last)
    upper = np.minimum((heaped <= half).sum(axis=-1), last)
    ranked = error[order]
    return np.asarray((ranked[lower] + ranked[upper]) / 2)


def mape(truth: Floats, prediction: Floats, weights: Floats | None = None) -> Floats:
    """Mean absolute error as a share of the true value; NaN when a true value is 0."""
    if np.any(truth == 0):
        return np.full(_weights(truth, weights).shape[:-1], np.nan)
    return _mean(np.abs((truth - prediction) / truth), weights)


def _mean(error: Floats, weights: Floats | None) -> Floats:
    w = _weights(error, weights)
    return ratio(w @ error, w.sum(axis=-1))


def _weights(truth: Floats, weights: Floats | None) -> Floats:
    return np.ones(len(truth)) if weights is None else weights
