"""Ask what is live about a candidate's rows and hold the two against each other, or say why that cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import ModelyardError
from modelyard.evaluation.answers import answered, require_answers
from modelyard.evaluation.slices import RESAMPLES, Part
from modelyard.metrics import Answered, multilabel
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.predictor import Predictor
from modelyard.records.comparison import Comparison, Decisions, PairedMetric, PairedSlice
from modelyard.records.package import Label, Task
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch

_LIKE_NUMBERS = ("integer", "float", "boolean")


def compare(
    candidate: Predictor,
    answers: Answered,
    live: Predictor,
    features: Batch,
    truth: NDArray[Any],
    *,
    environment: str,
    champion: str,
    part: Part,
    seed: int,
) -> Comparison:
    """The candidate's answers beside those of the live version on the same rows.

    ``features`` are laid out as the candidate's schema says. A live version that asks for fewer
    columns, or for the same in another order, is given what it asks for. One that does not fit is
    no error: ``Comparison.unfit`` says why. ``part`` is what slices look at.
    """
    reason = _misfit(candidate, live)
    task, classes = candidate.manifest.task, candidate.manifest.classes
    if reason is None:
        try:
            theirs = _asked(candidate, live, features)
            gaps = metrics.differences(task, truth, answers, theirs, classes, seed=seed)
        except ModelyardError as error:
            reason = f"it fails on these rows ({str(error).removesuffix('.')})"
        else:
            return Comparison(
                environment=environment,
                champion=champion,
                metrics=tuple(paired(name, gap) for name, gap in gaps.items()),
                decisions=None if task == "regression" else _decisions(truth, answers, theirs, classes),
                slices=tuple(_sliced(task, truth, answers, theirs, classes, part, seed)),
            )
    return Comparison(environment=environment, champion=champion, unfit=reason)


def beside(
    challenger: Predictor,
    champion: Predictor,
    features: Batch,
    truth: NDArray[Any],
    *,
    name: str,
    seed: int = 0,
) -> Comparison:
    """As ``compare`` of two that were tested before; ``name`` is what the champion is called. No slices."""
    answers = challenger.predict(features)
    require_answers(answers, challenger.manifest, len(truth), who=f"model '{challenger.manifest.model}'")
    return compare(
        challenger,
        answered(answers, challenger.manifest),
        champion,
        features,
        truth,
        environment="",
        champion=name,
        part=Part(np.arange(0), (), 1),
        seed=seed,
    )


def _sliced(
    task: Task,
    truth: NDArray[Any],
    ours: Answered,
    theirs: Answered,
    classes: tuple[Label, ...],
    part: Part,
    seed: int,
) -> Iterator[PairedSlice]:
    truth, ours, theirs = truth[part.rows], ours.take(part.rows), theirs.take(part.rows)
    for column in part.cells:
        for cell, label in enumerate(column.labels):
            rows = column.rows(cell)
            measured: tuple[PairedMetric, ...] = ()
            if len(rows) >= part.min_rows:
                gaps = metrics.differences(
                    task,
                    truth[rows],
                    ours.take(rows),
                    theirs.take(rows),
                    classes,
                    seed=seed,
                    resamples=RESAMPLES,
                )
                measured = tuple(paired(name, gap) for name, gap in gaps.items())
            yield PairedSlice(column=column.column, label=label, rows=len(rows), metrics=measured)


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


def _asked(candidate: Predictor, live: Predictor, features: Batch) -> Answered:
    ours, theirs = candidate.layout, live.layout
    if ours != theirs:
        numbers = [ours.numbers.index(name) for name in theirs.numbers]
        texts = [ours.texts.index(name) for name in theirs.texts]
        features = Batch(
            numbers=np.ascontiguousarray(features.numbers[:, numbers]), texts=features.texts[:, texts]
        )
    answers = live.predict(features)
    require_answers(answers, live.manifest, len(features), who=f"model '{live.manifest.model}'")
    classes, probability = candidate.manifest.classes, answers.probability
    if probability is not None and classes != live.manifest.classes:
        probability = probability[:, [live.manifest.classes.index(c) for c in classes]]
    theirs_told = answered(answers, live.manifest)
    # of other levels only what both have is compared: the numbers in the middle
    same = live.manifest.quantiles == candidate.manifest.quantiles
    return Answered(answers.prediction, probability, theirs_told.quantiles if same else None)


def paired(name: str, gap: metrics.Gap) -> PairedMetric:
    """A gap as the record has it, with its interval."""
    low, high = metrics.interval(gap.difference, gap.error)
    known = math.isfinite(gap.error)
    return PairedMetric(
        name=name,
        value=gap.value,
        champion=gap.other,
        difference=gap.difference,
        error=gap.error if known else None,
        low=low if known else None,
        high=high if known else None,
        method="delong" if name == "roc_auc" else "bootstrap",
        higher_is_better=metrics.higher_is_better(name),
    )


def _decisions(
    truth: NDArray[Any], ours: Answered, theirs: Answered, classes: tuple[Label, ...]
) -> Decisions:
    right, other = (_right(truth, answers, classes) for answers in (ours, theirs))
    only, lost = int((right & ~other).sum()), int((~right & other).sum())
    exact, mid = metrics.mcnemar(only, lost)
    return Decisions(
        both=int((right & other).sum()),
        only_challenger=only,
        only_champion=lost,
        neither=int((~right & ~other).sum()),
        p_exact=exact,
        p_mid=mid,
    )


def _right(truth: NDArray[Any], answers: Answered, classes: tuple[Label, ...]) -> NDArray[np.bool_]:
    """The rows that are answered as they are; of several labels with all of them."""
    if truth.ndim == 2:
        found: NDArray[np.bool_] = (multilabel.encode(answers.prediction, classes) == truth).all(axis=1)
        return found
    same: NDArray[np.bool_] = encode_answers(answers.prediction, classes) == encode_truth(truth, classes)
    return same


def _features(schema: Schema) -> dict[str, Column]:
    return {column.name: column for column in schema.features}


def _alike(one: Column, other: Column) -> bool:
    return one.kind == other.kind or (one.kind in _LIKE_NUMBERS and other.kind in _LIKE_NUMBERS)


def _listed(labels: tuple[object, ...]) -> str:
    return ", ".join(str(label) for label in labels)
