"""Simpler answers, learned from the training rows: the class shares or the mean, and a linear model."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import ModelyardError
from modelyard.evaluation.compare import paired
from modelyard.evaluation.slices import RESAMPLES, sample
from modelyard.metrics import Answered, Quantiles
from modelyard.metrics.score import encode_truth
from modelyard.predictor import Predictor, label_array, middle, of_labels
from modelyard.records.explanation import Baseline
from modelyard.records.package import Label
from modelyard.tables.batch import Batch

_WORK = 2_000_000
"""Cells that the linear model learns from."""
_MOST_ROWS = 20_000
_LABELS = 20


def baselines(
    predictor: Predictor,
    answers: Answered,
    features: Batch,
    truth: NDArray[Any],
    train: tuple[Batch, NDArray[Any]],
    *,
    seed: int,
) -> tuple[Baseline, ...]:
    """The trivial answer and the linear one beside the model's on the test rows.

    None where the training rows cannot teach them, as with a class that the model does not know.
    """
    task, classes = predictor.manifest.task, predictor.manifest.classes
    found = []
    try:
        for name, simple, rows in _simple(predictor, features, train, seed):
            gaps = metrics.differences(task, truth, answers, simple, classes, seed=seed, resamples=RESAMPLES)
            measured = tuple(paired(metric, gap) for metric, gap in gaps.items())
            found.append(Baseline(name=name, rows=rows, metrics=measured))
    except ModelyardError:
        return ()
    return tuple(found)


def _simple(
    predictor: Predictor, features: Batch, train: tuple[Batch, NDArray[Any]], seed: int
) -> Iterator[tuple[str, Answered, int]]:
    task, classes = predictor.manifest.task, predictor.manifest.classes
    learned, target = train
    n = len(features)
    levels = predictor.manifest.quantiles
    if levels:
        numbers = target.astype(np.float64)
        yield "quantiles", _spread(np.zeros(n), np.quantile(numbers, levels), levels), len(target)
    elif task == "regression":
        yield "mean", Answered(np.full(n, target.astype(np.float64).mean())), len(target)
    elif task == "multilabel":
        chances = np.broadcast_to(target.mean(axis=0), (n, len(classes)))
        yield "prior", _of_labels(chances, classes), len(target)
    else:
        codes = encode_truth(target, classes)
        shares = np.bincount(codes, minlength=len(classes)) / len(codes)
        prior = np.broadcast_to(shares, (n, len(classes)))
        yield "prior", Answered(label_array(classes)[np.full(n, shares.argmax())], prior), len(target)
    width = learned.numbers.shape[1] * 2 + learned.texts.shape[1] * _LABELS
    rows = sample(len(target), min(_MOST_ROWS, max(1000, _WORK // max(1, width))), seed)
    learned, target = learned.take(rows), target[rows]
    design, applied = _designs(learned, features)
    if not design.shape[1]:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not quite converged is a baseline too
        if task == "regression":
            from sklearn.linear_model import Ridge

            numbers = target.astype(np.float64)
            ridge = Ridge().fit(design, numbers)
            given = np.asarray(ridge.predict(applied), dtype=np.float64)
            if not levels:
                yield "ridge", Answered(given), len(rows)
                return
            left = np.quantile(numbers - np.asarray(ridge.predict(design), dtype=np.float64), levels)
            yield "ridge_quantiles", _spread(given, left, levels), len(rows)
            return
        from sklearn.linear_model import LogisticRegression

        if task == "multilabel":
            each = [
                LogisticRegression(max_iter=200).fit(design, yes) for yes in target.T if 0 < yes.mean() < 1
            ]
            if len(each) < len(classes):
                return
            chances = np.column_stack([one.predict_proba(applied)[:, 1] for one in each])
            yield "logistic", _of_labels(chances, classes), len(rows)
            return
        codes = encode_truth(target, classes)
        if len(set(codes.tolist())) < 2:
            return
        fitted = LogisticRegression(max_iter=200).fit(design, codes)
    probability = np.zeros((n, len(classes)))
    probability[:, fitted.classes_] = fitted.predict_proba(applied)
    yield "logistic", Answered(label_array(classes)[probability.argmax(axis=1)], probability), len(rows)


def _of_labels(chances: NDArray[np.float64], classes: tuple[Label, ...]) -> Answered:
    answers = of_labels(chances, classes)
    return Answered(answers.prediction, answers.probability)


def _spread(given: NDArray[np.float64], ends: NDArray[np.float64], levels: tuple[float, ...]) -> Answered:
    """Numbers with the same spread around each."""
    values = given[:, None] + ends
    return Answered(values[:, middle(levels)], None, Quantiles(levels, values))


def _designs(learned: Batch, applied: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers filled by the median, marked where missing and scaled; frequent labels as columns of 0 and 1."""
    left: list[NDArray[np.float64]] = []
    right: list[NDArray[np.float64]] = []
    for at in range(learned.numbers.shape[1]):
        here, there = learned.numbers[:, at], applied.numbers[:, at]
        known = here[np.isfinite(here)]
        if not len(known):
            continue
        middle, spread = np.median(known), known.std()
        for values, side in ((here, left), (there, right)):
            held = np.isfinite(values)
            scaled = (np.where(held, values, middle) - known.mean()) / (spread or 1.0)
            side.append(np.clip(scaled, -1e6, 1e6))
        if len(known) < len(here):
            left.append((~np.isfinite(here)).astype(np.float64))
            right.append((~np.isfinite(there)).astype(np.float64))
    for at in range(learned.texts.shape[1]):
        here_texts, there_texts = learned.texts[:, at], applied.texts[:, at]
        for label, _ in Counter(here_texts.tolist()).most_common(_LABELS):
            left.append((here_texts == label).astype(np.float64))
            right.append((there_texts == label).astype(np.float64))
    if not left:
        return np.empty((len(learned), 0)), np.empty((len(applied), 0))
    return np.column_stack(left), np.column_stack(right)
