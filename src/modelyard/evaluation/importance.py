"""Which features the answers rest on: by permutation (Breiman 2001), and partial dependence (Friedman 2001)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.evaluation.answers import answered
from modelyard.evaluation.losses import losses
from modelyard.evaluation.slices import sample
from modelyard.predictor import Answers, Predictor
from modelyard.records.explanation import Dependence, FeatureImportance, Importance
from modelyard.records.schema import Column
from modelyard.tables.batch import Batch, concat

_REPEATS = 5
_WORK = 400_000
"""Rows to predict in all; a wide table is looked at on fewer of its rows."""
_MOST_ROWS, _FEWEST_ROWS = 2000, 100
_SHOWN = 6
"""Features whose dependence is drawn."""
_GRID, _LABELS, _AVERAGED = 20, 8, 200


def important(predictor: Predictor, features: Batch, truth: NDArray[Any], *, seed: int) -> Importance:
    """Every feature, on rows drawn at random; a model that fails on shuffled rows is told of in ``note``."""
    columns = predictor.schema.features
    rows = sample(len(truth), _room(len(columns)), seed)
    features, truth = features.take(rows), truth[rows]
    task, classes = predictor.manifest.task, predictor.manifest.classes
    rng = np.random.default_rng(seed)

    def loss(batch: Batch, true: NDArray[Any]) -> tuple[str, NDArray[np.float64]]:
        answers = answered(predictor.predict(batch), predictor.manifest)
        return losses(task, true, answers, classes)[:2]

    name, base = loss(features, truth)
    found = []
    try:
        for column in columns:
            orders = [rng.permutation(len(rows)) for _ in range(_REPEATS)]
            shuffled = concat([_shuffled(predictor, features, column, order) for order in orders])
            _, grown = loss(shuffled, np.concatenate([truth] * _REPEATS))
            found.append(_feature(column.name, (grown.reshape(_REPEATS, -1) - base).mean(axis=0)))
        found.sort(key=lambda feature: -feature.increase)
        shown = [predictor.schema.column(f.column) for f in found[:_SHOWN] if f.increase > 0]
        drawn = [d for column in shown if (d := _dependence(predictor, features, column)) is not None]
    except ModelyardError as error:
        note = f"The model fails on shuffled rows: {error}"
        return Importance(loss=name, base=float(base.mean()), rows=len(rows), repeats=_REPEATS, note=note)
    return Importance(
        loss=name,
        base=float(base.mean()),
        rows=len(rows),
        repeats=_REPEATS,
        features=tuple(found),
        dependence=tuple(drawn),
    )


def _room(columns: int) -> int:
    return int(np.clip(_WORK // (max(1, columns) * _REPEATS), _FEWEST_ROWS, _MOST_ROWS))


def _feature(name: str, increase: NDArray[np.float64]) -> FeatureImportance:
    """Row by row in pairs: shuffled less as it is."""
    mean = float(increase.mean())
    reach = 1.96 * float(increase.std(ddof=1)) / math.sqrt(len(increase)) if len(increase) > 1 else 0.0
    return FeatureImportance(column=name, increase=mean, low=mean - reach, high=mean + reach)


def _shuffled(predictor: Predictor, batch: Batch, column: Column, order: NDArray[np.intp]) -> Batch:
    values = _values(predictor, batch, column)
    return _replaced(predictor, batch, column, values[order])


def _values(predictor: Predictor, batch: Batch, column: Column) -> NDArray[Any]:
    if column.kind == "string":
        return batch.texts[:, predictor.layout.texts.index(column.name)]
    return batch.numbers[:, predictor.layout.numbers.index(column.name)]


def _replaced(predictor: Predictor, batch: Batch, column: Column, values: Any) -> Batch:
    if column.kind == "string":
        texts = batch.texts.copy()
        texts[:, predictor.layout.texts.index(column.name)] = values
        return Batch(batch.numbers, texts)
    numbers = batch.numbers.copy()
    numbers[:, predictor.layout.numbers.index(column.name)] = values
    return Batch(numbers, batch.texts)


def _dependence(predictor: Predictor, features: Batch, column: Column) -> Dependence | None:
    """Of two classes and of numbers; nothing for a column with one value, or one about a person."""
    if predictor.manifest.task in ("multiclass", "multilabel") or column.personal:
        return None
    some = features.take(slice(0, _AVERAGED))
    values = _values(predictor, features, column)
    grid: list[Any]
    if column.kind == "string":
        known = [v for v in values.tolist() if v is not None]
        seen = sorted(set(known), key=lambda v: (-known.count(v), v))
        grid = seen[:_LABELS]
    else:
        finite = values[np.isfinite(values)]
        grid = (
            np.unique(np.quantile(finite, np.linspace(0.02, 0.98, _GRID), method="nearest")).tolist()
            if len(finite)
            else []
        )
    if len(grid) < 2:
        return None
    answers = predictor.predict(concat([_replaced(predictor, some, column, value) for value in grid]))
    means = tuple(_outcome(predictor, answers).reshape(len(grid), -1).mean(axis=1).tolist())
    if column.kind in ("string", "boolean"):
        labels = tuple(str(v) if column.kind == "string" else "true" if v else "false" for v in grid)
        return Dependence(column=column.name, answers=means, labels=labels)
    return Dependence(column=column.name, answers=means, values=tuple(grid))


def _outcome(predictor: Predictor, answers: Answers) -> NDArray[np.float64]:
    if predictor.manifest.task == "regression":
        return np.asarray(answers.prediction, dtype=np.float64)
    if answers.probability is not None:
        positive: NDArray[np.float64] = answers.probability[:, -1]
        return positive
    said = [label == predictor.manifest.classes[-1] for label in answers.prediction.tolist()]
    return np.array(said, dtype=np.float64)
