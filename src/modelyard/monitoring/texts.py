"""Texts too many to list: their lengths, and what they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.monitoring.compare import unlisted
from modelyard.monitoring.draft import Draft
from modelyard.monitoring.drift import drift
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.quality import new_categories
from modelyard.monitoring.raw import MOST, columns
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.batch import Batch
from modelyard.tables.profile import anchor, count

_SPANS = re.compile(r"[A-Z]+|[a-z]+|[0-9]+|\s+|[^\W\d_A-Za-z]+|.", re.DOTALL)
_LONGEST = 24
"""Of a pattern; longer ones are cut."""
_FEW = 5
"""Rows a label: a column of more has categories, which are compared as such."""


def texts(evidence: Evidence) -> Iterator[Draft]:
    """Drift of length and, unless it is personal, of pattern of each column of texts that are mostly different."""
    if evidence.settings.method != "calibrated" or evidence.schema is None:
        return
    if not any(column.kind == "string" for column in evidence.schema.features):
        return
    learnt = evidence.learnt(MOST)
    if learnt is None:
        return
    before, after = columns(learnt, evidence.schema), columns(evidence.seen(), evidence.schema)
    for name, (kind, values) in before.items():
        known = [text for text in values.tolist() if text is not None]
        if kind == "string" and known and len(known) < _FEW * len(set(known)):
            yield from _compared(
                evidence, name, "length", "integer", _lengths(values), _lengths(after[name][1])
            )
            if not evidence.schema.column(name).personal:  # a pattern of signs is the value itself
                yield from _compared(
                    evidence, name, "pattern", "string", _patterns(values), _patterns(after[name][1])
                )


def pattern(text: str) -> str:
    """``Ab-12`` as ``Aa-9``: runs of capitals, small letters, digits, spaces and other letters as one character each."""
    return "".join(_kind(span) for span in _SPANS.findall(text[:200]))[:_LONGEST]


def _kind(span: str) -> str:
    first = span[0]
    if "A" <= first <= "Z":
        return "A"
    if "a" <= first <= "z":
        return "a"
    if "0" <= first <= "9":
        return "9"
    if first.isspace():
        return " "
    return "\u00e6" if first.isalpha() else first


def _compared(
    evidence: Evidence, name: str, what: str, kind: Kind, before: NDArray[Any], after: NDArray[Any]
) -> Iterator[Draft]:
    """The same tests as of any column."""
    schema = Schema(columns=(Column(name=f"{name} ({what})", kind=kind),))
    reference = anchor(_batch(before), schema)
    made = count(_batch(after), reference)
    pair = reference.columns[0], made.columns[0]
    yield drift("drift", *pair, min_rows=evidence.settings.min_rows)
    if kind == "string" and not unlisted(reference.columns[0]):
        yield new_categories(*pair)


def _batch(values: NDArray[Any]) -> Batch:
    column = values.reshape(-1, 1)
    if values.dtype == np.float64:
        return Batch(column, np.empty((len(column), 0), dtype=object))
    return Batch(np.empty((len(column), 0)), column)


def _lengths(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else len(v) for v in values.tolist()], dtype=np.float64)


def _patterns(values: NDArray[Any]) -> NDArray[np.object_]:
    made = np.empty(len(values), dtype=object)
    made[:] = [None if v is None else pattern(v) for v in values.tolist()]
    return made
