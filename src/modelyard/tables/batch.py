"""Rows of features as two arrays, the shape in which models are asked (NumPy only)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import FrameKind, Layout
    from modelyard.records.schema import Column, Schema

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``n`` rows of features.

    ``numbers`` is [n, k] float64, C-contiguous, NaN for null: integers and floats as they are, booleans
    0 and 1, dates in days and datetimes in microseconds since 1970-01-01 UTC. ``texts`` is [n, s] of
    ``str`` objects, None for null. Columns stand as ``layout(schema)`` says.
    """

    numbers: NDArray[np.float64]
    texts: NDArray[np.object_]

    def __len__(self) -> int:
        return int(self.numbers.shape[0])

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice | Sequence[int]) -> Batch:
        """The rows at these positions, in that order (or where the mask is true)."""
        return Batch(np.ascontiguousarray(self.numbers[rows]), self.texts[rows])


def layout(schema: Schema) -> Layout:
    """Where each feature stands: string features in ``texts``, all others in ``numbers``, in schema order."""
    from modelyard.records.package import Layout

    numbers, texts = _places(schema)
    return Layout(numbers=numbers, texts=texts)


def concat(batches: Sequence[Batch]) -> Batch:
    """All rows of one or more batches of the same layout, in order."""
    return Batch(
        np.concatenate([batch.numbers for batch in batches]),
        np.concatenate([batch.texts for batch in batches]),
    )


def to_frame(batch: Batch, schema: Schema, kind: FrameKind) -> Any:
    """The rows as a pandas or Polars frame with the features in schema order, or as an array.

    Types follow from the schema alone, so that a model sees at serving what it saw in training:
    integers int64, or float64 with NaN where the schema allows nulls; booleans bool, or objects with
    None; floats float64; strings objects with None (pandas) or String; dates and datetimes
    ``datetime64[us]`` (pandas), Date and Datetime (Polars). NumPy gives [n, k] float64 in
    schema order when no feature is a string, else an array of objects.
    """
    if kind == "numpy":
        return _array(batch, schema)
    numbers, strings = _places(schema)
    places = {name: batch.numbers[:, at] for at, name in enumerate(numbers)}
    texts = {name: batch.texts[:, at] for at, name in enumerate(strings)}
    if kind == "pandas":
        # pandas arrives by name so that a container without it can still import this module
        pandas: Any = importlib.import_module("pandas")
        if all(c.kind == "float" for c in schema.features):  # one block instead of a series each
            return pandas.DataFrame(batch.numbers, columns=list(numbers), copy=True)
        columns = {
            c.name: pandas.Series(
                texts[c.name] if c.kind == "string" else _typed(places[c.name], c),
                dtype=object if c.kind == "string" else None,
                copy=True,
            )
            for c in schema.features
        }
        return pandas.DataFrame(columns, index=pandas.RangeIndex(len(batch)))
    polars: Any = importlib.import_module("polars")
    return polars.DataFrame([_series(polars, c, places, texts) for c in schema.features])


def _places(schema: Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    features = schema.features
    return (
        tuple(c.name for c in features if c.kind != "string"),
        tuple(c.name for c in features if c.kind == "string"),
    )


def _typed(values: NDArray[np.float64], column: Column) -> NDArray[Any]:
    if column.kind == "float":
        return values
    null = np.isnan(values)
    free = not column.nullable and not null.any()
    if column.kind == "integer":
        return values.astype(np.int64) if free else values
    if column.kind == "boolean":
        known: NDArray[Any] = values != 0
        if not free:
            known = known.astype(object)
            known[null] = None
        return known
    unit = DAY if column.kind == "date" else 1
    moments = np.where(null, 0, values * unit).astype(np.int64).astype("datetime64[us]")
    moments[null] = np.datetime64("NaT")
    return moments


def _series(polars: Any, column: Column, numbers: dict[str, Any], texts: dict[str, Any]) -> Any:
    if column.kind == "string":
        return polars.Series(column.name, texts[column.name].tolist(), dtype=polars.String)
    values = numbers[column.name]
    series = polars.Series(column.name, values, nan_to_null=True)
    if column.kind == "float":
        return polars.Series(column.name, values)
    if column.kind == "integer":
        # nullable integers are floats with NaN here as in pandas: one rule for all frames
        return polars.Series(column.name, _typed(values, column))
    if column.kind == "boolean":
        return series.cast(polars.Int8).cast(polars.Boolean)
    if column.kind == "date":
        return series.cast(polars.Int32).cast(polars.Date)
    return series.cast(polars.Int64).cast(polars.Datetime("us"))


def _array(batch: Batch, schema: Schema) -> NDArray[Any]:
    numbers, texts = _places(schema)
    if not texts:
        return batch.numbers.copy()
    rows = np.empty((len(batch), len(schema.features)), dtype=object)
    for at, column in enumerate(schema.features):
        if column.kind == "string":
            rows[:, at] = batch.texts[:, texts.index(column.name)]
        else:
            rows[:, at] = batch.numbers[:, numbers.index(column.name)]
    return rows
