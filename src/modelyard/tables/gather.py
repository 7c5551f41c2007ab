"""From a table to batches and targets (Polars; ``batch`` itself does without)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.errors import DataRefused, Misuse
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, layout
from modelyard.tables.labels import holds, matrix


def gather(frame: pl.DataFrame, schema: Schema) -> Batch:
    """The frame's features as a ``Batch``; its other columns are left aside.

    Raises ``DataRefused`` naming a feature that the frame lacks or whose values are of another kind.
    """
    names = layout(schema)
    values = np.empty((frame.height, len(names.numbers)), dtype=np.float64)
    texts = np.empty((frame.height, len(names.texts)), dtype=object)
    for at, name in enumerate(names.numbers):
        values[:, at] = numbers(_series(frame, name), schema.column(name))
    for at, name in enumerate(names.texts):
        texts[:, at] = _cast(_series(frame, name), schema.column(name), pl.String).to_list()
    return Batch(values, texts)


def target(frame: pl.DataFrame, schema: Schema, *, labels: Sequence[object] = ()) -> NDArray[Any]:
    """The target [n]: int64, float64, bool, or objects (strings); of several labels [n, k] bool.

    ``labels`` are those that a model knows, in its order. Raises ``DataRefused`` for a null, for a target of days or
    times, and where the data has other labels than these.
    """
    if schema.labels:
        known = tuple(map(str, labels)) or schema.labels
        if set(known) != set(schema.labels):
            raise DataRefused(
                f"The model knows the labels {', '.join(known)}, and the data has {', '.join(schema.labels)}; "
                "train it again."
            )
        return matrix([holds(_present(frame, name), schema.column(name)) for name in known])
    if schema.target is None:
        raise Misuse("The data has no target; name one with 'target' under [data.NAME] in modelyard.toml.")
    series = _present(frame, schema.target)
    column = schema.column(schema.target)
    if column.kind == "string":
        return np.array(_cast(series, column, pl.String).to_list() or [], dtype=object)
    if column.kind in ("date", "datetime"):
        raise DataRefused(f"The target '{column.name}' is a {column.kind}; a target is a label or a number.")
    kinds = {"integer": pl.Int64, "float": pl.Float64, "boolean": pl.Boolean}
    return _cast(series, column, kinds[column.kind]).to_numpy()


def _present(frame: pl.DataFrame, name: str) -> pl.Series:
    series = _series(frame, name)
    if series.null_count():
        row = series.is_null().arg_true()[0]
        raise DataRefused(
            f"The target '{name}' is missing in {series.null_count()} rows, first in row {row + 1}; "
            "leave such rows out."
        )
    return series


def values(frame: pl.DataFrame, column: Column) -> NDArray[Any]:
    """A column [n] as a batch holds it: objects (strings, None for null), or float64 with NaN."""
    series = _series(frame, column.name)
    if column.kind == "string":
        return np.array([*_cast(series, column, pl.String).to_list(), None], dtype=object)[:-1]
    return numbers(series, column)


def _series(frame: pl.DataFrame, name: str) -> pl.Series:
    try:
        return frame.get_column(name)
    except pl.exceptions.ColumnNotFoundError:
        raise DataRefused(f"The column '{name}' is missing.") from None


def numbers(series: pl.Series, column: Column) -> NDArray[np.float64]:
    """[n] float64 as a batch holds a feature that is no string; NaN for null."""
    if column.kind == "date":
        series = _cast(series, column, pl.Date).cast(pl.Int32)
    elif column.kind == "datetime":
        series = _cast(series, column, pl.Datetime("us")).cast(pl.Int64)
    elif column.kind == "boolean":
        series = _cast(series, column, pl.Boolean).cast(pl.Int8)
    elif not series.dtype.is_numeric() and series.null_count() < len(series):
        raise _other(series, column)
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _cast(series: pl.Series, column: Column, dtype: Any) -> pl.Series:
    if series.dtype == dtype:
        return series
    if column.kind == "string" and series.dtype.is_numeric():
        raise _other(series, column)
    try:
        return series.cast(dtype)
    except pl.exceptions.PolarsError:
        raise _other(series, column) from None


def _other(series: pl.Series, column: Column) -> DataRefused:
    return DataRefused(f"The column '{column.name}' holds {series.dtype}, not {column.kind} values.")
