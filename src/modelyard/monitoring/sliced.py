"""Drift of each column within slices: what moves in one part of the rows and is too little to be seen in all of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from modelyard.errors import SettingsError
from modelyard.monitoring.draft import Draft
from modelyard.monitoring.drift import drift
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.raw import MOST, columns
from modelyard.records.finding import Finding
from modelyard.records.schema import Kind
from modelyard.render.figures import figure
from modelyard.tables.profile import anchor, count

LABELS = 12
"""Categories of a column that are slices; the commonest."""
_NAMED = 4


def slices(evidence: Evidence) -> Iterator[Draft]:
    """Each column within each slice of the settings' columns, beside the rows of that slice that were learnt from.

    Slices are made of what was learnt from alone, so the window has no say in which tests there are but by its rows.
    Raises ``SettingsError`` for a column that is no feature.
    """
    settings, schema = evidence.settings, evidence.schema
    if not settings.slices or settings.method != "calibrated" or schema is None:
        return
    names = [column.name for column in schema.features]
    for wanted in settings.slices:
        if wanted not in names:
            raise SettingsError(
                f"monitor.{evidence.model}.slices: '{wanted}' is no feature of "
                f"{evidence.model}@{evidence.version}; name one of its columns."
            )
    learnt = evidence.learnt(MOST)
    if learnt is None:
        return
    seen = evidence.seen()
    before, after = columns(learnt, schema), columns(seen, schema)
    for wanted in settings.slices:
        kind, values = before[wanted]
        for label, mine, theirs in _cells(kind, values, after[wanted][1]):
            if theirs.sum() < settings.min_rows:
                continue
            reference = anchor(learnt.take(np.flatnonzero(mine)).batch, schema)
            window = count(seen.take(np.flatnonzero(theirs)).batch, reference)
            for pair in zip(reference.columns, window.columns, strict=True):
                if pair[0].name != wanted:
                    yield evidence.discreet(
                        _within(drift("drift", *pair, min_rows=settings.min_rows), f"{wanted} is {label}")
                    )


def folded(whole: Sequence[Finding], parts: Sequence[Finding]) -> list[Finding]:
    """The findings on all rows, each alert with the slices that it is found in; and the slices' alerts on columns of which all
    rows say nothing."""
    told = []
    for finding in whole:
        own = [p for p in parts if finding.alert and finding.kind == "drift" and p.column == finding.column]
        told.append(structs.replace(finding, sentence=finding.sentence + _where(own)) if own else finding)
    alone = {finding.column for finding in whole if finding.alert and finding.kind == "drift"}
    return told + [part for part in parts if part.column not in alone]


def _where(parts: Sequence[Finding]) -> str:
    most = sorted(parts, key=lambda part: -part.effect)
    more = f" and {len(most) - _NAMED} more" if len(most) > _NAMED else ""
    return "; found where " + ", ".join(f"{p.slice} (PSI {p.effect:.2g})" for p in most[:_NAMED]) + more


def _within(draft: Draft, label: str) -> Draft:
    return replace(
        draft,
        slice=label,
        change=f"{draft.change} where {label}",
        calm=f"{draft.calm} where {label}",
        shown=False,
    )


def _cells(
    kind: Kind, before: NDArray[Any], after: NDArray[Any]
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Each slice with its rows among those that were learnt from and among the window's."""
    if kind in ("string", "boolean"):
        counted = Counter(value for value in before.tolist() if value is not None)
        for label, _ in sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:LABELS]:
            yield str(label), before == label, after == label
        return
    known = before[np.isfinite(before)]
    if not len(known):
        return
    ends = [*np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="lower")).tolist(), np.inf]
    for low, high in itertools.pairwise([-np.inf, *ends]):
        name = (
            f"above {figure(low, kind)}" + (f" to {figure(high, kind)}" if high < np.inf else "")
            if low > -np.inf
            else f"up to {figure(high, kind)}"
        )
        yield name, _inside(before, low, high), _inside(after, low, high)


def _inside(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Above ``low`` up to ``high``; infinities belong to the outermost, gaps nowhere."""
    inside: NDArray[np.bool_] = (values <= high) & ((values > low) | (low == -np.inf))
    return inside
