"""What metrics are to be expected of answers whose truth nobody knows.

Of classes by their probabilities (confidence-based performance estimation, as NannyML 0.13.1 has it): a row with the calibrated
probability c of a class is counted as c of that class. Calibrated is by isotonic regression on rows whose truth is
known, and only where that makes the expected calibration error on held-out parts of them less. Of a regression by a second
model that learns how large the first one's error is. The error of an estimate is that of drawing so many rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.binary import surprise
from modelyard.metrics.score import limits
from modelyard.monitoring.terms import Judged

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Curve = Callable[[Floats], Floats]
BAND = 3.0
"""Sampling errors to either side."""
_BINS, _SPLITS, _SHARE, _SEED = 10, 10, 0.1, 42
_CERTAIN = 0.999
"""An area from which there is nothing to calibrate."""
_TREES = 100


@dataclass(frozen=True)
class Estimate:
    """``error`` is the standard error of a figure over so many rows, were its probabilities exact."""

    value: float
    error: float

    def band(self, metric: str) -> tuple[float, float]:
        """The value less and plus three errors, within what the metric can be."""
        least, most = limits(metric)
        return max(least, self.value - BAND * self.error), min(most, self.value + BAND * self.error)


def by_confidence(reference: Judged, rows: Judged) -> dict[str, Estimate]:
    """The metrics to be expected of ``rows``, whose truth is not looked at; those that cannot be told are left out.

    Both have probabilities. Of two classes the ROC area, accuracy, precision, recall, specificity, F1,
    log loss and Brier score; of more the accuracy and the means of areas and F1 over the classes.
    """
    assert reference.probability is not None
    assert rows.probability is not None
    if reference.task == "binary":
        curve = calibration(reference.truth == 1, reference.probability[:, -1])
        raw = rows.probability[:, -1]
        found = _of_two(curve(raw), raw, rows.prediction == 1, reference)
    else:
        found = _of_many(reference, rows)
    return {name: e for name, e in found.items() if math.isfinite(e.value) and math.isfinite(e.error)}


def calibration(truth: Bools, chance: Floats) -> Curve:
    """From a model's probability to the share of rows of which it is true; as it is where calibrating makes it no better."""
    from sklearn.isotonic import IsotonicRegression

    if not _improves(truth, chance):
        return lambda given: given
    fitted = IsotonicRegression(out_of_bounds="clip").fit(chance, truth.astype(np.float64))
    return lambda given: np.asarray(fitted.predict(given), dtype=np.float64)


def _improves(truth: Bools, chance: Floats) -> bool:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedShuffleSplit

    if min(truth.sum(), (~truth).sum()) < 2 or len(truth) < 2 * _BINS:
        return False
    if roc_auc_score(truth, chance) > _CERTAIN:
        return False
    held: list[tuple[Bools, Floats, Floats]] = []
    splits = StratifiedShuffleSplit(n_splits=_SPLITS, test_size=_SHARE, random_state=_SEED)
    for train, test in splits.split(chance, truth):
        fitted = IsotonicRegression(out_of_bounds="clip").fit(chance[train], truth[train].astype(np.float64))
        held.append((truth[test], chance[test], fitted.predict(chance[test])))
    true, before, after = (np.concatenate([part[k] for part in held]) for k in range(3))
    return _calibration_error(true, before) > _calibration_error(true, after)


def _calibration_error(truth: Bools, chance: Floats) -> float:
    """Over bins of equally many rows, the last of which takes what is left."""
    order = np.argsort(chance)
    bins = _BINS if len(chance) > 2 * _BINS else len(chance) // 2
    width = len(chance) // bins
    edges = np.arange(0, len(chance) + 1, width)
    edges[-1] = len(chance)
    gaps = [
        (high - low) / len(chance) * abs(chance[order[low:high]].mean() - truth[order[low:high]].mean())
        for low, high in itertools.pairwise(edges)
    ]
    return float(np.sum(gaps))


def _of_two(chance: Floats, raw: Floats, said: Bools, reference: Judged) -> dict[str, Estimate]:
    """``chance`` [n] calibrated, ``raw`` [n] as the model gave it."""
    n = len(chance)
    tp, fn = float(chance[said].sum()), float(chance[~said].sum())
    fp, tn = float(said.sum()) - tp, float((~said).sum()) - fn
    true, told = reference.truth == 1, reference.prediction == 1
    right = (true == told).astype(np.float64)
    score = reference.probability
    assert score is not None
    relevant = true | told
    scale = relevant.sum() / max(1e-300, 0.5 * (relevant & (true != told)).sum() + (true & told).sum())
    own = np.where(true, score[:, -1], 1 - score[:, -1])
    losses = {"log_loss": surprise(own), "brier": (1 - own) ** 2}
    found = {
        "roc_auc": (expected_area(chance, raw), *_placed(true, score[:, -1])),
        "accuracy": ((tp + tn) / n, float(right.std()), 1.0),
        "precision": (_ratio(tp, tp + fp), _spread(right[told]), float(told.mean())),
        "recall": (_ratio(tp, tp + fn), _spread(right[true]), float(true.mean())),
        "specificity": (_ratio(tn, tn + fp), _spread(right[~true]), float((~true).mean())),
        "f1": (
            _ratio(tp, tp + 0.5 * (fp + fn)),
            _spread((true & told)[relevant] * scale),
            float(relevant.mean()),
        ),
        "log_loss": (
            float(np.mean(chance * surprise(raw) + (1 - chance) * surprise(1 - raw))),
            float(losses["log_loss"].std()),
            1.0,
        ),
        "brier": (
            float(np.mean(chance * (1 - raw) ** 2 + (1 - chance) * raw**2)),
            float(losses["brier"].std()),
            1.0,
        ),
    }
    return {name: Estimate(value, _error(std, share, n)) for name, (value, std, share) in found.items()}


def _of_many(reference: Judged, rows: Judged) -> dict[str, Estimate]:
    assert reference.probability is not None
    assert rows.probability is not None
    n, k = rows.probability.shape
    calibrated = np.empty((n, k))
    for place in range(k):
        curve = calibration(reference.truth == place, reference.probability[:, place])
        calibrated[:, place] = curve(rows.probability[:, place])
    total = calibrated.sum(axis=1, keepdims=True)
    calibrated = np.divide(calibrated, total, out=np.full((n, k), 1 / k), where=total != 0)
    said = rows.prediction.astype(np.intp)
    right = (reference.truth == reference.prediction).astype(np.float64)
    each = []
    for place in range(k):
        part = Judged(
            "binary",
            2,
            (reference.truth == place).astype(np.intp),
            (reference.prediction == place).astype(np.intp),
            np.stack([1 - reference.probability[:, place], reference.probability[:, place]], axis=1),
            reference.window,
        )
        each.append(_of_two(calibrated[:, place], rows.probability[:, place], said == place, part))

    def mean(name: str) -> Estimate:
        errors = [e[name].error for e in each]
        return Estimate(
            float(np.mean([e[name].value for e in each])), math.sqrt(sum(e * e for e in errors)) / k
        )

    accuracy = float(calibrated[np.arange(n), said].mean())
    return {
        "accuracy": Estimate(accuracy, float(right.std()) / math.sqrt(n)),
        "f1_macro": mean("f1"),
        "roc_auc_ovr": mean("roc_auc"),
    }


def by_loss(
    features: Floats, reference: Judged, asked: Floats, rows: Judged, *, seed: int = 0
) -> dict[str, Estimate]:
    """The mean and the root mean squared error to be expected of ``rows``: a model learns each row's error from its
    ``features`` [n, k] (NaN for gaps, labels as numbers) and the answer."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    error = np.abs(reference.truth.astype(np.float64) - reference.prediction.astype(np.float64))
    known = np.column_stack([features, reference.prediction.astype(np.float64)])
    new = np.column_stack([asked, rows.prediction.astype(np.float64)])
    n = len(rows)

    def expected(loss: Floats) -> float:
        model = HistGradientBoostingRegressor(max_iter=_TREES, early_stopping=False, random_state=seed)
        with threadpool_limits(1):
            return float(model.fit(known, loss).predict(new).mean())

    squared = error**2
    mean = max(0.0, expected(squared))
    return {
        "mae": Estimate(max(0.0, expected(error)), float(error.std()) / math.sqrt(n)),
        "rmse": Estimate(
            math.sqrt(mean), math.sqrt(float(squared.var()) / (4 * n * max(float(squared.mean()), 1e-300)))
        ),
    }


def expected_area(chance: Floats, raw: Floats) -> float:
    """The ROC area by falling ``raw``, each row being ``chance`` of a positive one; NaN for one class alone."""
    order = np.argsort(raw)[::-1]
    found = np.append(0.0, np.cumsum(chance[order]))
    alarms = np.arange(len(found)) - found
    if found[-1] <= 0 or alarms[-1] <= 0:
        return math.nan
    return float(np.trapezoid(found, alarms) / (found[-1] * alarms[-1]))


def _placed(truth: Bools, score: Floats) -> tuple[float, float]:
    """The spread of the share of negatives that each positive row is above, and how many rows are of the rarer class."""
    if truth.mean() > 0.5:
        truth, score = ~truth, 1 - score
    true = truth[np.argsort(score)]
    negatives = int((~true).sum())
    below = np.flatnonzero(true) - np.arange(int(true.sum()))
    return (float((below / negatives).std()) if negatives and len(below) else math.nan), float(truth.mean())


def _spread(values: NDArray[np.generic]) -> float:
    return float(values.std()) if len(values) else math.nan


def _error(std: float, share: float, n: int) -> float:
    return std / math.sqrt(n * share) if n and share > 0 else math.nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
