"""The test split's rows weighted until they look like the window's.

A classifier tells both apart; the odds that a row is of the window are how much oftener such rows are there (Bickel, Brückner
and Scheffer 2009). Weights are clipped, and say how many rows they are worth; where that is few nothing is estimated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.score import measure
from modelyard.monitoring.expected import Estimate
from modelyard.monitoring.terms import Judged

Floats = NDArray[np.float64]
MOST = 20.0
"""The largest weight, of a mean of 1."""
LEAST = 50.0
"""Rows that the weighted ones must be worth."""
_DRAWS = 200


def weights(reference: Floats, window: Floats, *, seed: int = 0) -> Floats:
    """How much oftener rows as each of ``reference`` [n, k] are in ``window`` [m, k]; their mean is 1.

    Each row is asked about by a classifier that did not see it.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    table = np.clip(np.vstack([reference, window]), -1e300, 1e300)
    side = np.repeat([0, 1], [len(reference), len(window)])
    odds = np.empty(len(table))
    with threadpool_limits(1):  # threads that wait for each other on few rows take ten times as long
        for train, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(table, side):
            trees = HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=8, min_samples_leaf=20, learning_rate=0.1, random_state=seed
            )
            chance = trees.fit(table[train], side[train]).predict_proba(table[held])[:, 1]
            chance = np.clip(chance, 1e-6, 1 - 1e-6)
            odds[held] = chance / (1 - chance)
    found: Floats = odds[: len(reference)]
    clipped = np.minimum(found / found.mean(), MOST)
    weight: Floats = clipped / clipped.mean()
    return weight


def worth(weight: Floats) -> float:
    """How many equally weighted rows say as much (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def by_importance(reference: Judged, weight: Floats, rows: int, *, seed: int = 0) -> dict[str, Estimate]:
    """The metrics of rows whose truth is known, weighted; their errors are those of drawing rows anew, and of a window
    of ``rows``."""
    labels = tuple(range(reference.classes))
    scores = measure(
        reference.task,
        reference.truth,
        reference.prediction,
        reference.probability,
        labels,
        reference.quantiles,
    )
    n = len(reference)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_DRAWS)
    values, spread = scores(weight[None, :]), scores(weight[None, :] * drawn)
    wider = math.sqrt(1 + worth(weight) / rows)
    found = {}
    for name, value in values.items():
        error = float(np.nanstd(spread[name])) * wider
        if math.isfinite(float(value[0])) and math.isfinite(error):
            found[name] = Estimate(float(value[0]), error)
    return found
