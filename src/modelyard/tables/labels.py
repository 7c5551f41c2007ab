"""Columns of yes and no: the labels of which any number holds for a row (Polars)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.errors import DataRefused
from modelyard.records.schema import Column
from modelyard.tables.infer import Seen

YES = frozenset({"true", "yes", "y", "t", "1", "on", "present", "positive"})
NO = frozenset({"false", "no", "n", "f", "0", "off", "absent", "negative"})
_HOW = "hold true and false, 1 and 0, or yes and no; make it so in 'transform', or predict it alone"


def stranger(column: Column, seen: Seen) -> str | None:
    """What the column holds that is neither yes nor no; None where there is nothing such."""
    if column.kind == "boolean":
        return None
    if column.kind in ("date", "datetime"):
        return f"{column.kind} values"
    if seen.infinities or seen.distinct is None:
        return "more than two values"
    if column.kind == "string":
        others = sorted(v for v in map(str, seen.distinct) if v.strip().lower() not in YES | NO)
    else:
        others = [f"{v:g}" for v in sorted(map(float, seen.distinct)) if v not in (0.0, 1.0)]
    return repr(others[0][:50]) if others else None


def refuse(name: str, what: str) -> DataRefused:
    """The refusal of a label that holds ``what``."""
    return DataRefused(f"The label '{name}' holds {what}; a label is to {_HOW}.")


def holds(series: pl.Series, column: Column) -> pl.Series:
    """[n] booleans; null where the value is null. Raises ``DataRefused`` for what is neither yes nor no."""
    if series.dtype == pl.Boolean:
        return series
    if series.dtype.is_numeric():
        number = series.cast(pl.Float64)
        known, found = number.is_null() | number.is_in([0.0, 1.0]), number == 1.0
    elif series.dtype == pl.String:
        text = series.str.strip_chars().str.to_lowercase()
        known, found = text.is_null() | text.is_in([*YES, *NO]), text.is_in([*YES])
        found = pl.select(pl.when(text.is_null()).then(None).otherwise(found)).to_series()
    else:
        raise refuse(column.name, f"{series.dtype} values")
    if not known.all():
        raise refuse(column.name, repr(str(series.filter(~known)[0])[:50]))
    return found.alias(series.name)


def told(series: pl.Series, column: Column) -> pl.Series:
    """The values as texts that say whose they are: ``rain: true``."""
    return pl.select(pl.lit(f"{column.name}: ") + holds(series, column).cast(pl.String)).to_series()


def matrix(columns: Sequence[pl.Series]) -> NDArray[np.bool_]:
    """[n, k] of columns of booleans."""
    return np.column_stack([column.to_numpy().astype(np.bool_) for column in columns])
