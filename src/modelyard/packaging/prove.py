"""Whether the compiled form answers what the trained model answers, and refuses what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError
from modelyard.packaging import probes
from modelyard.predictor.answers import Answers
from modelyard.records.package import Probe, Proof
from modelyard.records.schema import Schema
from modelyard.tables.batch import Batch

TIE = 1e-9
"""Two classes closer than this in the trained model, or a label's yes and no, are tied: sums of float64 in another
order."""

Predict = Callable[[Batch], Answers]


def prove(
    predict_native: Predict,
    predict_onnx: Predict,
    test: Batch,
    *,
    schema: Schema,
    thresholds: Batch,
    tolerance: float,
    decided: tuple[float, ...] = (),
) -> Proof:
    """Hold ``predict_onnx`` against ``predict_native`` on every probe.

    Proven means on every row of every probe: probabilities differ by at most ``tolerance`` (numbers by that
    much of their own size, or of the largest number on the test split), no label differs unless the trained
    model ties, and a row that the trained model refuses (NaN, infinity, an unknown category under
    ``handle_unknown='error'``) is refused by the compiled one too. Nulls are tried only where the schema
    allows them: elsewhere the schema check refuses the row before any model sees it. ``decided`` are the thresholds of
    labels.
    """
    sets = (
        ("test split", probes.sample(test)),
        ("column-permuted rows", probes.permuted(test)),
        ("nulls", probes.nulls(test, schema)),
        ("unknown categories", probes.unknown(test, schema)),
        ("thresholds", thresholds),
        ("large values", probes.large(test, schema)),
    )
    done, reasons = [], []
    scale = 0.0
    for name, rows in sets:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            probe, reason, size = _probe(name, rows, predict_native, predict_onnx, tolerance, scale, decided)
        scale = scale or size
        done.append(probe)
        if reason:
            reasons.append(f"{name}: {reason}")
    return Proof(proven=not reasons, tolerance=tolerance, probes=tuple(done), reason="; ".join(reasons))


def _probe(
    name: str,
    rows: Batch,
    native: Predict,
    onnx: Predict,
    tolerance: float,
    scale: float,
    decided: tuple[float, ...],
) -> tuple[Probe, str, float]:
    answered = _answered(native, rows)
    refused = np.setdiff1d(np.arange(len(rows)), np.concatenate([at for at, _ in answered] or [np.array([])]))
    worst, flips, size, reason = 0.0, 0, scale, ""
    for at, theirs in answered:
        try:
            ours = onnx(rows.take(at))
        except AuthorError:
            reason = (
                f"the compiled model refuses rows that the trained one answers (row {at[0] + 1} or later)"
            )
            worst = float("inf")
            break
        size = size or _size(theirs)
        worst = max(worst, _worst(theirs, ours, size))
        flips += _flips(theirs, ours, decided)
    for at in refused.astype(np.intp).tolist():
        try:
            onnx(rows.take([at]))
        except AuthorError:
            continue
        reason = reason or f"the compiled model answers row {at + 1}, which the trained one refuses"
        break
    if not reason and worst > tolerance:
        reason = f"answers differ by up to {worst:.3g}, more than {tolerance:g}"
    if not reason and flips:
        reason = f"{flips} of {len(rows)} labels differ"
    return Probe(name=name, rows=len(rows), worst=min(worst, 1e308), flips=flips), reason, size


def _answered(native: Predict, rows: Batch) -> list[tuple[NDArray[np.intp], Answers]]:
    """Rows that the trained model answers, in groups; halves are tried until a single row is refused."""
    found: list[tuple[NDArray[np.intp], Answers]] = []
    waiting = [np.arange(len(rows))] if len(rows) else []
    while waiting:
        at = waiting.pop()
        try:
            found.append((at, native(rows.take(at))))
        except AuthorError:
            if len(at) > 1:
                waiting += [at[: len(at) // 2], at[len(at) // 2 :]]
    return found


def _size(answers: Answers) -> float:
    """What differences are measured in: 1 for probabilities, the largest number for a regression."""
    if answers.probability is not None:
        return 1.0
    return float(np.abs(_numbers(answers)).max(initial=0.0)) or 1.0


def _numbers(answers: Answers) -> NDArray[Any]:
    return answers.prediction if answers.quantiles is None else answers.quantiles


def _worst(theirs: Answers, ours: Answers, size: float) -> float:
    if theirs.probability is not None and ours.probability is not None:
        return float(np.abs(theirs.probability - ours.probability).max(initial=0.0))
    numbers = _numbers(theirs)
    return float((np.abs(numbers - _numbers(ours)) / np.maximum(np.abs(numbers), size)).max(initial=0.0))


def _flips(theirs: Answers, ours: Answers, decided: tuple[float, ...]) -> int:
    if theirs.probability is None:
        return 0
    if len(theirs.prediction) and isinstance(theirs.prediction[0], list):  # of labels that hold
        tied = np.abs(theirs.probability - np.array(decided or 0.5)).min(axis=1) <= TIE
    else:
        first_two = np.sort(theirs.probability, axis=1)[:, -2:]
        tied = first_two[:, -1] - first_two[:, 0] <= TIE if first_two.shape[1] > 1 else False
    return int(((theirs.prediction != ours.prediction) & ~np.asarray(tied)).sum())
