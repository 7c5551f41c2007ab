"""Rows of the test split in the form of a request, with the answers a package was sealed with."""

from __future__ import annotations

import datetime as dt
import math

import msgspec
import numpy as np

from modelyard.predictor.answers import Answers
from modelyard.records.package import Label
from modelyard.records.payload import Cell
from modelyard.records.schema import Kind, Schema
from modelyard.tables.batch import Batch, layout

ROWS = 20
_EPOCH = dt.datetime(1970, 1, 1)
"""Without an offset: times are UTC throughout."""


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """``golden.json``: rows as a client would send them, and what the package answers."""

    rows: list[dict[str, Cell]]
    prediction: list[Label | float | list[Label]]
    probability: list[list[float]] | None = None
    quantiles: list[list[float]] | None = None


def chosen(test: Batch, rows: int = ROWS) -> Batch:
    """Up to ``rows`` of the test split, evenly spread."""
    return test.take(np.unique(np.linspace(0, len(test) - 1, min(rows, len(test))).astype(np.intp)))


def golden(batch: Batch, answers: Answers, schema: Schema) -> Golden:
    """The rows with their answers."""
    return Golden(
        rows=to_rows(batch, schema),
        prediction=answers.prediction.tolist(),
        probability=None if answers.probability is None else answers.probability.tolist(),
        quantiles=None if answers.quantiles is None else answers.quantiles.tolist(),
    )


def to_rows(batch: Batch, schema: Schema) -> list[dict[str, Cell]]:
    """Rows as JSON can hold them: null, true, whole and broken numbers, texts, ISO dates and times."""
    names = layout(schema)
    columns: dict[str, list[Cell]] = {}
    for column in schema.features:
        if column.kind == "string":
            columns[column.name] = batch.texts[:, names.texts.index(column.name)].tolist()
        else:
            values = batch.numbers[:, names.numbers.index(column.name)].tolist()
            columns[column.name] = [_cell(value, column.kind) for value in values]
    return [{name: columns[name][at] for name in columns} for at in range(len(batch))]


def _cell(value: float, kind: Kind) -> Cell:
    if math.isnan(value):
        return None
    if kind == "integer":
        return int(value)
    if kind == "boolean":
        return value != 0
    if kind == "date":
        return (_EPOCH + dt.timedelta(days=value)).date().isoformat()
    if kind == "datetime":
        return (_EPOCH + dt.timedelta(microseconds=value)).isoformat()
    return value
