"""Answers to rows that were disturbed a little: noise on numbers, values that are missing."""

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
from modelyard.records.stability import Shake, Stability
from modelyard.tables.batch import Batch

NOISE = (0.01, 0.05, 0.1)
MISSING = (0.05, 0.2)
_ROWS = 2000


def shaken(predictor: Predictor, features: Batch, truth: NDArray[Any], *, seed: int) -> Stability:
    """Noise on columns of floats and integers (these stay whole), then blanks where the schema allows them."""
    rows = sample(len(truth), _ROWS, seed)
    features, truth = features.take(rows), truth[rows]
    task, classes = predictor.manifest.task, predictor.manifest.classes
    rng = np.random.default_rng(seed)
    before = predictor.predict(features)

    def loss(answers: Answers) -> tuple[str, NDArray[np.float64]]:
        return losses(task, truth, answered(answers, predictor.manifest), classes)[:2]

    name, base = loss(before)
    shakes: list[Shake] = []
    note = ""
    try:
        for kind, level in [("noise", level) for level in NOISE] + [("missing", level) for level in MISSING]:
            if kind == "noise":
                disturbed, touched = _noisy(predictor, features, level, rng)
            else:
                disturbed, touched = _blanked(predictor, features, level, rng)
            if not touched:
                continue
            after = predictor.predict(disturbed)
            grown = loss(after)[1] - base
            mean = float(grown.mean())
            reach = 1.96 * float(grown.std(ddof=1)) / math.sqrt(len(grown)) if len(grown) > 1 else 0.0
            shakes.append(
                Shake(
                    kind="noise" if kind == "noise" else "missing",
                    level=level,
                    columns=touched,
                    loss=float(base.mean()) + mean,
                    growth=mean,
                    low=mean - reach,
                    high=mean + reach,
                    moved=_moved(task == "regression", before, after),
                )
            )
    except ModelyardError as error:
        note = f"The model fails on disturbed rows: {error}"
    return Stability(loss=name, base=float(base.mean()), rows=len(rows), shakes=tuple(shakes), note=note)


def _moved(numbers: bool, before: Answers, after: Answers) -> float:
    if numbers:
        a, b = (np.asarray(x.prediction, dtype=np.float64) for x in (before, after))
        return float(np.abs(a - b).mean())
    return float((np.asarray(before.prediction) != np.asarray(after.prediction)).mean())


def _noisy(
    predictor: Predictor, features: Batch, level: float, rng: np.random.Generator
) -> tuple[Batch, int]:
    numbers, touched = features.numbers.copy(), 0
    for at, name in enumerate(predictor.layout.numbers):
        column = predictor.schema.column(name)
        known = numbers[np.isfinite(numbers[:, at]), at]
        if column.kind not in ("float", "integer") or not len(known) or not known.std():
            continue
        numbers[:, at] += rng.normal(0.0, level * known.std(), len(numbers))
        if column.kind == "integer":
            numbers[:, at] = np.rint(numbers[:, at])
        touched += 1
    return Batch(numbers, features.texts), touched


def _blanked(
    predictor: Predictor, features: Batch, level: float, rng: np.random.Generator
) -> tuple[Batch, int]:
    numbers, texts, touched = features.numbers.copy(), features.texts.copy(), 0
    for names, values, blank in (
        (predictor.layout.numbers, numbers, np.nan),
        (predictor.layout.texts, texts, None),
    ):
        for at, name in enumerate(names):
            if predictor.schema.column(name).nullable:
                values[rng.random(len(values)) < level, at] = blank
                touched += 1
    return Batch(numbers, texts), touched
