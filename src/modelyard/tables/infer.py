"""A schema from the rows themselves: everything in it is inferred, nothing declared."""

from __future__ import annotations

import polars as pl

from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Schema
from modelyard.tables.kinds import kind_of

MOST_CATEGORIES = 50


def infer(frame: pl.DataFrame, *, target: str | None, key: tuple[str, ...]) -> Schema:
    """The schema that the frame fits, columns in its order.

    - ``nullable`` where a null (or, in floats, a NaN) was seen.
    - ``minimum`` and ``maximum`` of numbers, over finite values; None when there is none. An infinity
      is a value, so a range that it is outside of marks it.
    - ``categories`` of strings with at most 50 distinct values that recur (at most half as many as
      there are values), sorted.
    - A column without any value is a nullable float: it says nothing, and nothing refuses it; a
      later version may give it another kind.
    - Keys get neither range nor categories.

    Raises ``DataRefused`` for a type that no kind stores.
    """
    return Schema(
        columns=tuple(_column(s, plain=s.name in key) for s in frame), target=target, key=tuple(key)
    )


def is_blank(column: Column) -> bool:
    """Whether the column was inferred from no value at all (or from infinities only)."""
    return column.kind == "float" and column.nullable and column.minimum is None and not column.declared


def _column(series: pl.Series, *, plain: bool) -> Column:
    nulls = series.null_count()
    if nulls == series.len():
        return Column(name=series.name, kind="float", nullable=True)
    kind = kind_of(series.dtype)
    if kind is None:
        raise DataRefused(
            f"Column '{series.name}' is of type {series.dtype}, which has no place in a dataset; "
            "write it as a number, a text, a date or a time."
        )
    nullable = nulls > 0 or (kind == "float" and bool(series.is_nan().any()))
    column = Column(name=series.name, kind=kind, nullable=nullable)
    if plain:
        return column
    if kind in ("integer", "float"):
        low, high = _range(series)
        return Column(name=series.name, kind=kind, nullable=nullable, minimum=low, maximum=high)
    if kind == "string":
        return Column(name=series.name, kind=kind, nullable=nullable, categories=_categories(series))
    return column


def _range(series: pl.Series) -> tuple[float | None, float | None]:
    finite = series.filter(series.is_finite()) if series.dtype.is_float() else series
    low, high = finite.min(), finite.max()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None, None
    return float(low), float(high)


def _categories(series: pl.Series) -> tuple[str, ...] | None:
    texts = series.cast(pl.String).drop_nulls()
    distinct = texts.n_unique()
    if distinct > MOST_CATEGORIES or 2 * distinct > texts.len():
        return None
    return tuple(sorted(texts.unique().to_list()))
