"""Score what is live on a candidate's rows, or say why that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import ModelyardError
from modelyard.evaluation.answers import require_answers
from modelyard.predictor import Predictor
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch

_LIKE_NUMBERS = ("integer", "float", "boolean")


def scores_of_live(
    candidate: Predictor, live: Mapping[str, Predictor], features: Batch, truth: NDArray[Any]
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Metrics of each environment's live version, and for the others a clause that says why not.

    ``features`` are laid out as the candidate's schema says. A live version that asks for fewer
    columns, or for the same in another order, is given what it asks for.
    """
    scores: dict[str, dict[str, float]] = {}
    unfit: dict[str, str] = {}
    for environment, predictor in live.items():
        reason = _misfit(candidate, predictor)
        if reason is None:
            try:
                scores[environment] = _score(candidate, predictor, features, truth)
                continue
            except ModelyardError as error:
                reason = f"it fails on these rows ({str(error).removesuffix('.')})"
        unfit[environment] = reason
    return scores, unfit


def _misfit(candidate: Predictor, live: Predictor) -> str | None:
    ours, theirs = candidate.manifest, live.manifest
    if ours.task != theirs.task:
        return f"it answers a {theirs.task} task and this version a {ours.task} one"
    if set(ours.classes) != set(theirs.classes):
        return f"its classes are {_listed(theirs.classes)} and this version's {_listed(ours.classes)}"
    here = _features(candidate.schema)
    for name, column in _features(live.schema).items():
        if name not in here:
            return f"it needs the column '{name}', which these rows do not have"
        if not _alike(here[name], column):
            return f"it needs the column '{name}' as {column.kind}, and in these rows it is {here[name].kind}"
    return None


def _score(candidate: Predictor, live: Predictor, features: Batch, truth: NDArray[Any]) -> dict[str, float]:
    ours, theirs = candidate.layout, live.layout
    if ours != theirs:
        numbers = [ours.numbers.index(name) for name in theirs.numbers]
        texts = [ours.texts.index(name) for name in theirs.texts]
        features = Batch(
            numbers=np.ascontiguousarray(features.numbers[:, numbers]), texts=features.texts[:, texts]
        )
    answers = live.predict(features)
    require_answers(answers, live.manifest, len(truth), who=f"model '{live.manifest.model}'")
    classes, probability = candidate.manifest.classes, answers.probability
    if probability is not None and classes != live.manifest.classes:
        probability = probability[:, [live.manifest.classes.index(c) for c in classes]]
    return metrics.score(candidate.manifest.task, truth, answers.prediction, probability, classes)


def _features(schema: Schema) -> dict[str, Column]:
    return {column.name: column for column in schema.features}


def _alike(one: Column, other: Column) -> bool:
    return one.kind == other.kind or (one.kind in _LIKE_NUMBERS and other.kind in _LIKE_NUMBERS)


def _listed(labels: tuple[object, ...]) -> str:
    return ", ".join(str(label) for label in labels)
