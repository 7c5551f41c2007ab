"""A task's metrics by name: which there are, which way is better, what they are."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.metrics import binary, multiclass, multilabel, quantile, regression
from modelyard.metrics.binary import Floats
from modelyard.metrics.quantile import Quantiles
from modelyard.records.package import Label, Task

Measure = Callable[[Floats], dict[str, Floats]]
"""Weights [b, n] to the scores [b] of each metric."""

_NAMES: dict[Task, tuple[str, ...]] = {
    "binary": (
        "roc_auc",
        "average_precision",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "mcc",
        "log_loss",
        "brier",
        "expected_calibration_error",
    ),
    "multiclass": ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovr"),
    "multilabel": multilabel.OF_ALL,
    "regression": ("r2", "rmse", "mae", "median_absolute_error", "mape"),
}
_DEFAULTS: dict[Task, str] = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "multilabel": "f1_macro",
    "regression": "r2",
}
_LOWER_IS_BETTER = {
    "hamming_loss",
    "log_loss",
    "brier",
    "expected_calibration_error",
    "rmse",
    "mae",
    "median_absolute_error",
    "mape",
    "pinball",
    "coverage_error",
    "interval_width",
    "crossing",
}
_WITHOUT_END = {"log_loss", "rmse", "mae", "median_absolute_error", "mape", "pinball", "interval_width"}
_OF_LABELS = {
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "mcc",
    "f1_macro",
}
"""Metrics that need no probabilities."""


def names(task: Task, quantiles: Sequence[float] = (), classes: Sequence[Label] = ()) -> tuple[str, ...]:
    """The task's metrics, in the order of a report; of a regression those of its ``quantiles``' levels too, of several
    labels those of each, which are the ``classes``."""
    if task == "multilabel":
        return multilabel.names(classes)
    return (*(quantile.names(quantiles) if quantiles else ()), *_NAMES[task])


def default(task: Task, quantiles: Sequence[float] = ()) -> str:
    """The metric that decides when the settings name none."""
    return "pinball" if quantiles else _DEFAULTS[task]


def require(
    name: str,
    task: Task | None = None,
    quantiles: Sequence[float] = (),
    classes: Sequence[Label] = (),
) -> str:
    """The name itself; ``SettingsError`` when no task, or not this one, has such a metric."""
    every = (*dict.fromkeys(n for t in _NAMES.values() for n in t), *quantile.OF_ALL)
    known = names(task, quantiles, classes) if task else every
    if name in known or (task is None and (quantile.is_one(name) or multilabel.is_one(name))):
        return name
    if task == "multilabel" and not classes and multilabel.is_one(name):
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    where = f" for a {task} model{' of these quantiles' if quantiles else ''}" if task else ""
    raise SettingsError(f"There is no metric '{name}'{where}{hint}; known: {', '.join(known)}.")


def higher_is_better(name: str) -> bool:
    """Which way is better; ``SettingsError`` for an unknown metric."""
    return require(name) not in _LOWER_IS_BETTER and not name.startswith("pinball_")


def limits(name: str) -> tuple[float, float]:
    """The least and the most that a metric can be, whatever the rows; ``SettingsError`` for an unknown one."""
    require(name)
    if name == "r2":
        return -math.inf, 1.0
    if name == "mcc":
        return -1.0, 1.0
    return 0.0, math.inf if name in _WITHOUT_END or name.startswith("pinball_") else 1.0


def score(
    task: Task,
    truth: NDArray[np.generic],
    prediction: NDArray[np.generic],
    probability: Floats | None,
    classes: Sequence[Label],
    *,
    quantiles: Quantiles | None = None,
) -> dict[str, float]:
    """Each metric of the task on these answers; NaN where the rows leave it undefined.

    ``truth`` and ``prediction`` [n] hold labels, or numbers for regression; ``probability`` [n, c]
    is in the order of ``classes``, the last of two being the positive one. Of several labels ``truth`` is [n, c] bool
    and each prediction a list of labels. Without it only the
    metrics of labels are given; with ``quantiles`` theirs too. Raises ``DataRefused`` for a true label and ``AuthorError`` for a
    predicted one that is not among ``classes``.
    """
    found = measure(task, truth, prediction, probability, classes, quantiles)(np.ones((1, len(truth))))
    listed = names(task, quantiles.levels if quantiles else (), classes)
    return {name: float(found[name][0]) for name in listed if name in found}


def value(
    metric: str,
    task: Task,
    truth: NDArray[np.generic],
    prediction: NDArray[np.generic],
    probability: Floats | None,
    classes: Sequence[Label],
    *,
    quantiles: Quantiles | None = None,
) -> float:
    """One metric as ``score`` gives it, without the others; NaN where it is undefined or asks for probabilities that
    there are none of."""
    if len(truth) == 0 or quantiles is not None or task == "multilabel":
        found = score(task, truth, prediction, probability, classes, quantiles=quantiles)
        return found.get(metric, np.nan)
    require(metric, task)
    if task == "regression":
        numbers = truth.astype(np.float64), prediction.astype(np.float64)
        with np.errstate(over="ignore"):
            return float(getattr(regression, metric)(*numbers))
    true = encode_truth(truth, classes)
    if metric in _OF_LABELS:
        codes = encode_answers(prediction, classes)
        if task == "binary":
            return float(getattr(binary, metric)(true == 1, codes == 1))
        return float(getattr(multiclass, metric)(true, codes, len(classes)))
    if probability is None:
        return np.nan
    if task == "binary":
        return float(getattr(binary, metric)(true == 1, np.ascontiguousarray(probability[:, -1])))
    return float(getattr(multiclass, metric)(true, probability))


def measure(
    task: Task,
    truth: NDArray[np.generic],
    prediction: NDArray[np.generic],
    probability: Floats | None,
    classes: Sequence[Label],
    quantiles: Quantiles | None = None,
) -> Measure:
    """What scores weightings of these rows; arguments and errors as of ``score``."""
    if len(truth) == 0:
        raise DataRefused("There are no rows to score; give the test split a larger share.")
    if task == "regression":
        of_points = _numbers(truth.astype(np.float64), prediction.astype(np.float64))
        if quantiles is None:
            return of_points
        of_quantiles = quantile.measure(truth.astype(np.float64), quantiles)
        return lambda weights: of_quantiles(weights) | of_points(weights)
    if task == "multilabel":
        if truth.ndim != 2:
            raise DataRefused(
                f"The rows have one target, and the model tells {len(classes)} labels; give it the columns "
                f"{', '.join(map(str, classes))}."
            )
        true, said = (multilabel.encode(values, classes) for values in (truth, prediction))
        return multilabel.measure(true, said, probability, classes)
    true_codes, codes = encode_truth(truth, classes), encode_answers(prediction, classes)
    if task == "binary":
        positive = None if probability is None else np.ascontiguousarray(probability[:, -1])
        return _two_classes(true_codes == 1, codes == 1, positive)
    return _many_classes(true_codes, codes, probability, len(classes))


def encode_truth(truth: NDArray[np.generic], classes: Sequence[Label]) -> NDArray[np.intp]:
    """Positions [n] of true labels among ``classes``; ``DataRefused`` names one that is not there."""
    codes, stranger = _encode(truth, classes)
    if stranger is not None:
        raise DataRefused(
            f"The test rows hold the class {stranger!r}, which the model never saw in training "
            f"(it knows {_listed(classes)}); train again on data that has it on both sides of the split."
        )
    return codes


def encode_answers(prediction: NDArray[np.generic], classes: Sequence[Label]) -> NDArray[np.intp]:
    """Positions [n] of answers among ``classes``; ``AuthorError`` names one that is not there."""
    codes, stranger = _encode(prediction, classes)
    if stranger is not None:
        raise AuthorError(
            f"The model answered {stranger!r}, which is none of its classes ({_listed(classes)}); "
            "let predict return labels as they stand in the target."
        )
    return codes


def _encode(labels: NDArray[np.generic], classes: Sequence[Label]) -> tuple[NDArray[np.intp], object]:
    place = {label: code for code, label in enumerate(classes)}
    values = labels.tolist()
    codes = np.fromiter((place.get(v, -1) for v in values), dtype=np.intp, count=len(values))
    unknown = np.flatnonzero(codes < 0)
    return codes, (values[unknown[0]] if len(unknown) else None)


def _listed(classes: Sequence[Label]) -> str:
    shown = ", ".join(repr(c) for c in classes[:10])
    return shown + (", ..." if len(classes) > 10 else "")


# The measures below do once what does not depend on the weights: columns whose weighted sums are the
# scores, and the sorting.


def _two_classes(truth: binary.Bools, prediction: binary.Bools, probability: Floats | None) -> Measure:
    cells = binary.cell_columns(truth, prediction)
    if probability is None:
        return lambda weights: binary.label_scores(binary.sums(weights, cells).reshape(-1, 2, 2))
    losses = np.stack(
        [
            np.ones(len(truth)),
            binary.surprise(np.where(truth, probability, 1 - probability)),
            (probability - truth) ** 2,
        ]
    )
    columns = np.vstack([cells, losses, binary.gap_columns(truth, probability)])
    ranking = binary.rank(truth, probability)

    def scores(weights: Floats) -> dict[str, Floats]:
        found = binary.sums(weights, columns)
        total = found[:, 4]
        heaps = binary.heaps(ranking, weights)
        return binary.label_scores(found[:, :4].reshape(-1, 2, 2)) | {
            "roc_auc": binary.area(*heaps),
            "average_precision": binary.stepped_area(*heaps),
            "log_loss": found[:, 5] / total,
            "brier": found[:, 6] / total,
            "expected_calibration_error": np.abs(found[:, 7:]).sum(axis=-1) / total,
        }

    return scores


def _many_classes(
    truth: NDArray[np.intp], prediction: NDArray[np.intp], probability: Floats | None, c: int
) -> Measure:
    rankings = () if probability is None else multiclass.rankings(truth, probability)

    def scores(weights: Floats) -> dict[str, Floats]:
        found = multiclass.label_scores(multiclass.confusion(truth, prediction, c, weights))
        if probability is not None:
            found["log_loss"] = multiclass.log_loss(truth, probability, weights)
            found["roc_auc_ovr"] = multiclass.mean_area(rankings, weights)
        return found

    return scores


def _numbers(truth: Floats, prediction: Floats) -> Measure:
    error = np.abs(truth - prediction)
    order = np.argsort(error, kind="stable")
    # a square past 1e308 is infinite, which the caller sees, and no cause for a warning
    with np.errstate(over="ignore"):
        rising, squares = error[order], error**2

    def scores(weights: Floats) -> dict[str, Floats]:
        total = weights.sum(axis=-1)
        with np.errstate(over="ignore", invalid="ignore"):
            left = binary.sums(weights, squares)
            r2 = regression.explained(left, regression.around_mean(truth, weights), len(truth))
        return {
            "r2": r2,
            "rmse": np.sqrt(left / total),
            "mae": binary.sums(weights, error) / total,
            "median_absolute_error": regression.ranked_median(rising, weights[:, order]),
            "mape": regression.mape(truth, prediction, weights),
        }

    return scores
