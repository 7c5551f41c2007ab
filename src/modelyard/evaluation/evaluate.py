"""Score a package on the held-back rows, hold it to its gates, and write down what was found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import DataRefused
from modelyard.evaluation.answers import answered, require_answers
from modelyard.evaluation.baselines import baselines
from modelyard.evaluation.cells import cut
from modelyard.evaluation.compare import compare
from modelyard.evaluation.curves import confusion, curves
from modelyard.evaluation.decision import calibrated, priced
from modelyard.evaluation.fairness import treated
from modelyard.evaluation.importance import important
from modelyard.evaluation.labels import labelled
from modelyard.evaluation.losses import losses
from modelyard.evaluation.residuals import residuals
from modelyard.evaluation.search import search
from modelyard.evaluation.slices import Part, measures, sample, sliced
from modelyard.evaluation.stability import shaken
from modelyard.evaluation.wanted import Wanted
from modelyard.gates import decide, fair, require
from modelyard.predictor import Predictor
from modelyard.records.explanation import Baseline, FeatureResiduals
from modelyard.records.gate import Gate
from modelyard.records.report import Report
from modelyard.records.slices import Search
from modelyard.tables.batch import Batch

_NOTHING = Wanted()


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
    wanted: Wanted = _NOTHING,
    now: dt.datetime,
    seed: int = 0,
    at: Callable[[str], None] = lambda _: None,
) -> Report:
    """The report of ``predictor`` on the rows ``features`` (laid out as its schema says) and ``truth`` [n].

    ``live`` holds, per environment, the version that answers there, and ``champions`` how it is called;
    it answers the same rows again and is held against this one. A gate that fails does not raise: ``Report.passed`` says it (``gates.refuse`` raises).
    ``seed`` drives the intervals' resampling. A metric that these rows leave undefined (ROC AUC of
    one class) is left out. ``at`` is told what is looked at. Raises ``AuthorError`` for answers that are no answers, ``DataRefused``
    for rows that cannot be scored and ``SettingsError`` for a gate on an unknown metric.
    """
    manifest = predictor.manifest
    require(gates, manifest.task, manifest.quantiles, manifest.classes)
    _require_truth(truth, len(features), dataset)
    answers = predictor.predict(features)
    require_answers(answers, manifest, len(truth), who=f"model '{model}'")
    given, classes = answered(answers, manifest), manifest.classes
    at("metrics and their intervals")
    found = measures(manifest.task, truth, given, classes, seed=seed, resamples=None)
    part = _part(truth, wanted, seed)
    if part.cells:
        at("slices")
    parts = sliced(manifest.task, truth, given, classes, part, seed=seed)
    if live:
        at(f"beside what is live in {', '.join(sorted(live))}")
    compared = {
        name: compare(
            predictor,
            given,
            champion,
            features,
            truth,
            environment=name,
            champion=(champions or {}).get(name, ""),
            part=part,
            seed=seed,
        )
        for name, champion in sorted(live.items())
    }
    groups = tuple(
        treated(
            manifest.task,
            truth,
            given,
            classes,
            cut(c.column.name, c.column.kind, c.values, c.edges),
            min_rows=wanted.min_rows,
        )
        for c in wanted.groups
    )
    values = {metric.name: metric.value for metric in found}
    if wanted.footprint is not None:
        values |= wanted.footprint.figures()
    outcomes = (*decide(gates, values, compared, parts), *fair(wanted.fairness, groups))
    return Report(
        model=model,
        package=package,
        dataset=dataset,
        dataset_digest=dataset_digest,
        task=manifest.task,
        classes=manifest.classes,
        quantiles=manifest.quantiles,
        rows=len(truth),
        metrics=found,
        confusion=confusion(manifest.task, truth, given.prediction, classes),
        labels=labelled(manifest, truth, given),
        curves=curves(manifest.task, truth, given, classes, seed=seed),
        gates=outcomes,
        comparisons=tuple(compared.values()),
        slices=parts,
        calibration=calibrated(manifest.task, truth, given, classes),
        costs=priced(manifest.task, truth, given, classes, wanted.prices) if wanted.prices else None,
        fairness=groups,
        **_beyond(predictor, given, features, truth, part, wanted=wanted, seed=seed, at=at),
        footprint=wanted.footprint,
        sampled=len(part.rows) if len(part.rows) < len(truth) else 0,
        passed=all(outcome.passed for outcome in outcomes),
        created=now,
    )


def _beyond(
    predictor: Predictor,
    answers: metrics.Answered,
    features: Batch,
    truth: NDArray[Any],
    part: Part,
    *,
    wanted: Wanted,
    seed: int,
    at: Callable[[str], None],
) -> dict[str, Any]:
    """Fields of the report that no gate reads, each told of before."""
    looks: dict[str, tuple[bool, str, Callable[[], Any]]] = {
        "baselines": (
            wanted.train is not None,
            "beside something simpler",
            lambda: _simpler(predictor, answers, features, truth, part, wanted, seed),
        ),
        "importance": (
            wanted.importance,
            "what the answers rest on",
            lambda: important(predictor, features, truth, seed=seed),
        ),
        "stability": (
            wanted.stability,
            "rows that are a little other",
            lambda: shaken(predictor, features, truth, seed=seed),
        ),
        "residuals": (
            wanted.search and predictor.manifest.task == "regression",
            "where the errors lie",
            lambda: _left(predictor, answers, features, truth, part),
        ),
        "search": (
            wanted.search,
            "weak slices",
            lambda: _searched(predictor, features, truth, answers, part, seed),
        ),
    }
    found = {}
    for name, (asked, sentence, look) in looks.items():
        if asked:
            at(sentence)
            found[name] = look()
    return found


def _left(
    predictor: Predictor, answers: metrics.Answered, features: Batch, truth: NDArray[Any], part: Part
) -> tuple[FeatureResiduals, ...]:
    rows = part.rows
    left = truth[rows].astype(np.float64) - answers.prediction[rows].astype(np.float64)
    return residuals(predictor, features.take(rows), left, min_rows=part.min_rows)


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


def _part(truth: NDArray[Any], wanted: Wanted, seed: int) -> Part:
    rows = sample(len(truth), wanted.most_rows, seed)
    cells = tuple(cut(c.column.name, c.column.kind, c.values[rows], c.edges) for c in wanted.slices)
    return Part(rows, cells, wanted.min_rows)


def _simpler(
    predictor: Predictor,
    answers: metrics.Answered,
    features: Batch,
    truth: NDArray[Any],
    part: Part,
    wanted: Wanted,
    seed: int,
) -> tuple[Baseline, ...]:
    if wanted.train is None:
        return ()
    rows = part.rows
    return baselines(predictor, answers.take(rows), features.take(rows), truth[rows], wanted.train, seed=seed)


def _searched(
    predictor: Predictor,
    features: Batch,
    truth: NDArray[Any],
    answers: metrics.Answered,
    part: Part,
    seed: int,
) -> Search:
    """Over every feature that is not about a person, and the columns that were named."""
    named = {cells.column for cells in part.cells}
    places = predictor.layout
    cells = list(part.cells)
    for column in predictor.schema.features:
        if column.name not in named and not column.personal:
            of, names = (
                (features.texts, places.texts)
                if column.kind == "string"
                else (features.numbers, places.numbers)
            )
            cells.append(cut(column.name, column.kind, of[part.rows, names.index(column.name)]))
    manifest = predictor.manifest
    name, loss, wrong = losses(manifest.task, truth[part.rows], answers.take(part.rows), manifest.classes)
    return search(cells, loss, wrong, name=name, min_rows=part.min_rows, seed=seed)
