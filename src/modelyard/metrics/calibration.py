"""Whether probabilities mean what they say: the parts of the Brier score, slope and intercept.

Arguments as in ``binary``.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from modelyard.metrics.binary import Bools, Floats, calibration

_CLIP = 1e-6
"""Certainty is infinite log odds; probabilities are held this far from it."""
_STEPS = 100
_LONGEST = 2.0
"""Of a step: a whole one of Newton's overshoots where probabilities are far off."""

Interval = tuple[float, float, float]
"""A figure and both ends of its interval."""


def decompose(truth: Bools, probability: Floats) -> tuple[float, float, float, float]:
    """Reliability, resolution, uncertainty, and what is left within bins.

    Their first less second plus third and fourth is the Brier score (Murphy 1973; what is left after
    Stephenson, Coelho and Jolliffe 2008). Ten equal bins, as everywhere.
    """
    mean, share, counts = calibration(truth, probability)
    weight, base = counts / len(truth), truth.mean()
    reliability = float((weight * (mean - share) ** 2).sum())
    resolution = float((weight * (share - base) ** 2).sum())
    uncertainty = float(base * (1 - base))
    whole = float(((probability - truth) ** 2).mean())
    return reliability, resolution, uncertainty, whole - (reliability - resolution + uncertainty)


def recalibration(
    truth: Bools, probability: Floats, *, level: float = 0.95
) -> tuple[Interval | None, Interval | None]:
    """Slope and intercept of a logistic regression of outcomes on stated log odds, with Wald intervals.

    The slope is fitted with an intercept of its own, the intercept with the slope held at 1 (Cox 1958;
    Van Calster et al. 2019). None where there is no finite fit, as when both classes are told apart.
    """
    p = np.clip(probability, _CLIP, 1 - _CLIP)
    odds = np.log(p / (1 - p))
    both = _logistic(np.column_stack([odds, np.ones(len(odds))]), truth, np.zeros(len(odds)))
    alone = _logistic(np.ones((len(odds), 1)), truth, odds)
    z = NormalDist().inv_cdf((1 + level) / 2)
    found: list[Interval | None] = []
    for fit in (both, alone):
        if fit is None:
            found.append(None)
        else:
            value, error = float(fit[0][0]), math.sqrt(float(fit[1][0, 0]))
            found.append((value, value - z * error, value + z * error))
    return found[0], found[1]


def _logistic(x: Floats, truth: Bools, offset: Floats) -> tuple[Floats, Floats] | None:
    """Coefficients and their covariance by Newton's steps, None where they run away."""
    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(x @ beta + offset, -35, 35)))
        information = (x * (fitted * (1 - fitted))[:, None]).T @ x
        try:
            covariance: Floats = np.linalg.inv(information).astype(np.float64)
        except np.linalg.LinAlgError:
            return None
        step = covariance @ (x.T @ (truth - fitted))
        if not np.isfinite(step).all():
            return None
        longest = float(np.abs(step).max())
        beta = beta + step * min(1.0, _LONGEST / max(longest, 1e-300))
        if longest < 1e-9:
            return beta, covariance
    return None
