"""How right the answers are likely to be, where nobody knows what was true.

What relates features to the target may change without anything being seen here: no estimate without outcomes sees that
(concept drift), and every finding says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.score import encode_answers, encode_truth, higher_is_better
from modelyard.monitoring.draft import share
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.expected import Estimate, by_confidence, by_loss
from modelyard.monitoring.raw import Raw, columns
from modelyard.monitoring.terms import Judged
from modelyard.monitoring.weighted import LEAST, by_importance, weights, worth
from modelyard.records.finding import Finding
from modelyard.records.package import Manifest
from modelyard.records.schema import Schema

_BLIND = "no such estimate sees whether what relates features to the target has changed"
_SHOWN = {
    "binary": ("roc_auc", "accuracy"),
    "multiclass": ("accuracy", "f1_macro"),
    "regression": ("mae", "rmse"),
}


def estimated_quality(evidence: Evidence) -> Iterator[Finding]:
    """The metric that is bounded and the usual ones; an alert where the whole band of three errors is beyond the bound."""
    way, manifest = evidence.settings.estimate, evidence.manifest
    if way == "none" or manifest is None or evidence.schema is None or manifest.task not in _SHOWN:
        return
    tested = evidence.tested()
    if tested is None or tested.truth is None or len(tested) < evidence.settings.min_rows:
        return
    seen = evidence.seen()
    reference, rows = _judged(manifest, tested), _judged(manifest, seen)
    note = ""
    if way == "importance":
        before, after = _table(tested, seen, evidence.schema)
        weight = weights(before, after)
        held = worth(weight)
        note = f", by {len(tested)} rows of the test split weighted to be worth {held:.0f}"
        found = by_importance(reference, weight, len(rows)) if held >= LEAST else {}
        if not found:
            yield _refused(evidence, manifest, held, len(tested))
    elif manifest.task == "regression":
        before, after = _table(tested, seen, evidence.schema)
        found = by_loss(before, reference, after, rows)
    elif reference.probability is None or rows.probability is None:
        return
    else:
        found = by_confidence(reference, rows)
    bound = evidence.bound
    names = [bound.metric] if bound else []
    for metric in dict.fromkeys([*names, *_SHOWN[manifest.task]]):
        if metric in found:
            yield _finding(evidence, manifest, metric, found[metric], len(tested), len(rows), note)


def _finding(
    evidence: Evidence,
    manifest: Manifest,
    metric: str,
    found: Estimate,
    tested: int,
    rows: int,
    note: str,
) -> Finding:
    low, high = found.band(metric)
    rises = higher_is_better(metric)
    bound = evidence.bound if evidence.bound and evidence.bound.metric == metric else None
    alert, against = False, ""
    if bound is not None:
        alert = high < bound.value if rises else low > bound.value
        side = "floor" if rises else "ceiling"
        against = f"; its {side} is {bound.value:.3g} ({bound.reason}){', which all of that is beyond' if alert else ''}"
    return Finding(
        kind="estimated_quality",
        column=manifest.schema.target or "",
        statistic=metric,
        value=found.value,
        p_value=None,
        p_corrected=None,
        effect=((bound.value - found.value) * (1 if rises else -1)) if bound else 0.0,
        effect_name="beyond",
        reference_rows=tested,
        window_rows=rows,
        alert=alert,
        sentence=f"{metric} is estimated to be {found.value:.3g}, from {low:.3g} to {high:.3g}, over {rows} predictions"
        f"{note}{against}; {_BLIND}",
        interval=(low, high),
    )


def _refused(evidence: Evidence, manifest: Manifest, held: float, tested: int) -> Finding:
    return Finding(
        kind="estimated_quality",
        column=manifest.schema.target or "",
        statistic="effective_rows",
        value=held,
        p_value=None,
        p_corrected=None,
        effect=0.0,
        effect_name="beyond",
        reference_rows=tested,
        window_rows=evidence.window.rows,
        alert=False,
        sentence=f"quality cannot be estimated: the {tested} rows of the test split are worth {held:.0f} "
        f"({share(held, tested)}) where the window is, fewer than {LEAST:g}; ask for outcomes",
    )


def _judged(manifest: Manifest, raw: Raw) -> Judged:
    n = len(raw)
    assert raw.prediction is not None
    nothing = np.zeros(n, dtype=np.intp)
    if manifest.task == "regression":
        known = np.zeros(n) if raw.truth is None else raw.truth.astype(np.float64)
        return Judged("regression", 0, known, raw.prediction.astype(np.float64), None, nothing)
    classes = manifest.classes
    # predictions of classes of several types are logged as texts
    texts = raw.prediction.dtype == object and all(isinstance(p, str) for p in raw.prediction.tolist())
    said = encode_answers(raw.prediction, [str(c) for c in classes] if texts else classes)
    truth = nothing if raw.truth is None else encode_truth(raw.truth, classes)
    return Judged(manifest.task, len(classes), truth, said, raw.probability, nothing)


def _table(before: Raw, after: Raw, schema: Schema) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features as numbers, labels by a code that both have in common."""
    ours, theirs = columns(before, schema), columns(after, schema)
    sides: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for name, (_, values) in ours.items():
        there = theirs[name][1]
        if values.dtype != np.float64:
            known = sorted({v for v in values.tolist() if v is not None})
            codes = {label: float(at) for at, label in enumerate(known)}
            values, there = (
                np.array([math.nan if v is None else codes.get(v, -1.0) for v in side.tolist()])
                for side in (values, there)
            )
        sides[0].append(values)
        sides[1].append(there)
    return np.column_stack(sides[0]), np.column_stack(sides[1])
