"""Score a package on the held-back rows, hold it to its gates, and write down what was found."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import DataRefused
from modelyard.evaluation.answers import require_answers
from modelyard.evaluation.compare import compare
from modelyard.evaluation.curves import confusion, curves
from modelyard.gates import decide
from modelyard.predictor import Predictor
from modelyard.records.gate import Gate
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
    champions: Mapping[str, str] | None = None,
    now: dt.datetime,
    seed: int = 0,
) -> Report:
    """The report of ``predictor`` on the rows ``features`` (laid out as its schema says) and ``truth`` [n].

    ``live`` holds, per environment, the version that answers there, and ``champions`` how it is called;
    it answers the same rows again and is held against this one. A gate that fails does not raise: ``Report.passed`` says it (``gates.refuse`` raises).
    ``seed`` drives the intervals' resampling. A metric that these rows leave undefined (ROC AUC of
    one class) is left out. Raises ``AuthorError`` for answers that are no answers, ``DataRefused``
    for rows that cannot be scored and ``SettingsError`` for a gate on an unknown metric.
    """
    manifest = predictor.manifest
    for gate in gates:
        metrics.require(gate.metric, manifest.task)
    _require_truth(truth, len(features), dataset)
    answers = predictor.predict(features)
    require_answers(answers, manifest, len(truth), who=f"model '{model}'")
    prediction, probability, classes = answers.prediction, answers.probability, manifest.classes
    found = metrics.score(manifest.task, truth, prediction, probability, classes)
    ends = metrics.intervals(manifest.task, truth, prediction, probability, classes, seed=seed)
    given = metrics.Answered(prediction, probability)
    compared = {
        name: compare(
            predictor,
            given,
            champion,
            features,
            truth,
            environment=name,
            champion=(champions or {}).get(name, ""),
            seed=seed,
        )
        for name, champion in sorted(live.items())
    }
    outcomes = decide(gates, found, compared)
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
        comparisons=tuple(compared.values()),
        passed=all(outcome.passed for outcome in outcomes),
        created=now,
    )


def _require_truth(truth: NDArray[Any], rows: int, dataset: str) -> None:
    if len(truth) != rows:
        raise DataRefused(f"{dataset} has {rows} test rows but {len(truth)} true answers.")
    if rows == 0:
        raise DataRefused(f"{dataset} has no test rows; give 'split.test' a larger share.")
    if truth.dtype == object:
        missing = np.fromiter((v is None or v != v for v in truth.tolist()), dtype=bool, count=rows)
    else:
        missing = ~np.isfinite(truth) if truth.dtype.kind == "f" else np.zeros(rows, dtype=bool)
    if missing.any():
        raise DataRefused(
            f"The target of {dataset} is missing or infinite in {int(missing.sum())} of {rows} test rows; "
            "drop those rows or fill the column in."
        )


def _metric(name: str, value: float, ends: tuple[float, float]) -> Metric:
    low, high = (end if math.isfinite(end) else value for end in ends)
    # Resampling overstates the calibration error, so its interval may pass the figure by.
    return Metric(
        name=name,
        value=value,
        low=min(low, value),
        high=max(high, value),
        higher_is_better=metrics.higher_is_better(name),
    )
