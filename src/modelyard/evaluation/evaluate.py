"""Score a package on the held-back rows, hold it to its gates, and write down what was found."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import AuthorError, DataRefused
from modelyard.evaluation.compare import scores_of_live
from modelyard.evaluation.curves import confusion, curves
from modelyard.gates import decide
from modelyard.predictor import Answers, Predictor
from modelyard.records.gate import Gate
from modelyard.records.package import Manifest
from modelyard.records.report import Metric, Report
from modelyard.tables.batch import Batch


def evaluate(
    predictor: Predictor,
    features: Batch,
    truth: NDArray[Any],
    *,
    model: str,
    package: str,
    dataset: str,
    dataset_digest: str,
    gates: Sequence[Gate],
    live: Mapping[str, Predictor],
    now: dt.datetime,
    seed: int = 0,
) -> Report:
    """The report of ``predictor`` on the rows ``features`` (laid out as its schema says) and ``truth`` [n].

    ``live`` holds, per environment, the version that answers there; it is scored again on the same
    rows. A gate that fails does not raise: ``Report.passed`` says it (``gates.refuse`` raises).
    ``seed`` drives the intervals' resampling. A metric that these rows leave undefined (ROC AUC of
    one class) is left out. Raises ``AuthorError`` for answers that are no answers, ``DataRefused``
    for rows that cannot be scored and ``SettingsError`` for a gate on an unknown metric.
    """
    manifest = predictor.manifest
    for gate in gates:
        metrics.require(gate.metric, manifest.task)
    _require_truth(truth, len(features.numbers), dataset)
    answers = predictor.predict(features)
    require_answers(answers, manifest, len(truth), who=f"model '{model}'")
    prediction, probability, classes = answers.prediction, answers.probability, manifest.classes
    found = metrics.score(manifest.task, truth, prediction, probability, classes)
    ends = metrics.intervals(manifest.task, truth, prediction, probability, classes, seed=seed)
    compared = {gate.no_worse_than for gate in gates if gate.no_worse_than is not None}
    scores, unfit = scores_of_live(
        predictor, {name: live[name] for name in sorted(compared & live.keys())}, features, truth
    )
    outcomes = decide(gates, found, scores, unfit=unfit)
    return Report(
        model=model,
        package=package,
        dataset=dataset,
        dataset_digest=dataset_digest,
        task=manifest.task,
        classes=manifest.classes,
        rows=len(truth),
        metrics=tuple(
            _metric(name, value, ends[name]) for name, value in found.items() if math.isfinite(value)
        ),
        confusion=confusion(manifest.task, truth, prediction, classes),
        curves=curves(manifest.task, truth, prediction, probability, classes, seed=seed),
        gates=outcomes,
        passed=all(outcome.passed for outcome in outcomes),
        created=now,
    )


def require_answers(answers: Answers, manifest: Manifest, rows: int, *, who: str) -> None:
    """``AuthorError`` unless there is one finite answer a row and, with probabilities, one a class."""
    shape = np.shape(answers.prediction)
    if shape != (rows,):
        raise AuthorError(
            f"The predictions of {who} have the shape {shape} where ({rows},) was asked for: "
            "return one answer for each row."
        )
    if manifest.task == "regression":
        _require_finite(np.asarray(answers.prediction, dtype=np.float64), "prediction", who)
        return
    if answers.probability is None:
        return
    wanted = (rows, len(manifest.classes))
    if np.shape(answers.probability) != wanted:
        raise AuthorError(
            f"The probabilities of {who} have the shape {np.shape(answers.probability)} where {wanted} was "
            "asked for: return one column for each class."
        )
    _require_finite(answers.probability, "probability", who)
    outside = (answers.probability < -1e-6) | (answers.probability > 1 + 1e-6)
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        raise AuthorError(
            f"The probabilities of {who} leave 0 to 1 at test row {row}; return probabilities, not scores."
        )


def _require_finite(values: NDArray[np.float64], what: str, who: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))[0])
        raise AuthorError(
            f"The {what} of {who} is not a number at test row {row} "
            f"({int(bad.sum())} such in all); handle missing values in the model's pipeline."
        )


def _require_truth(truth: NDArray[Any], rows: int, dataset: str) -> None:
    if len(truth) != rows:
        raise DataRefused(f"{dataset} has {rows} test rows but {len(truth)} true answers.")
    if rows == 0:
        raise DataRefused(f"{dataset} has no test rows; give 'split.test' a larger share.")
    if truth.dtype == object:
        missing = np.fromiter((v is None or v != v for v in truth.tolist()), dtype=bool, count=rows)
    else:
        missing = np.isnan(truth) if truth.dtype.kind == "f" else np.zeros(rows, dtype=bool)
    if missing.any():
        raise DataRefused(
            f"The target of {dataset} is missing in {int(missing.sum())} of {rows} test rows; "
            "drop those rows or fill the column in."
        )


def _metric(name: str, value: float, ends: tuple[float, float]) -> Metric:
    low, high = (end if math.isfinite(end) else value for end in ends)
    return Metric(name=name, value=value, low=low, high=high, higher_is_better=metrics.higher_is_better(name))
