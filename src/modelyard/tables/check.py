"""Whether a table fits a schema, column by column in Polars; ``tables.rules`` writes the messages."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.kinds import kind_of, read_dates, read_datetimes
from modelyard.tables.rules import EXACT, Fault, missing, unknown, value_fault


@dataclass(frozen=True)
class Checked:
    """``faults`` refuse the table; ``marks`` count, by ``column: rule``, what only inferred rules mind.

    ``faults`` lists at most ``limit`` rows of each column, in the order of rows; ``broken`` counts all
    values at fault.
    """

    faults: tuple[Fault, ...]
    marks: dict[str, int]
    broken: int = 0


def check(frame: pl.DataFrame, schema: Schema, *, limit: int | None = 20) -> Checked:
    """Hold every value against the schema; rows are numbered from 1.

    Features must all be there and nothing else; target and key are held against their columns where
    they are. Types, nulls where none are allowed and declared rules are faults, inferred ranges and
    categories marks.
    """
    faults: list[Fault] = [missing(c) for c in schema.features if c.name not in frame.columns]
    known = {c.name for c in schema.columns}
    faults += [unknown(schema, name) for name in frame.columns if name not in known]
    broken = len(faults)
    marks: dict[str, int] = {}
    found: list[tuple[int, int, Fault]] = []
    for place, column in enumerate(schema.columns):
        if column.name not in frame.columns:
            continue
        series = frame[column.name]
        bounded = column.name not in schema.key
        bad, marked = _masks(series, column, bounded=bounded)
        broken += int(bad.sum())
        rows = bad.arg_true() if limit is None else bad.arg_true().head(limit)
        for row in rows.to_list():
            fault = value_fault(column, series[row], at=row + 1, bounded=bounded)
            assert fault is not None, (column, series[row])
            found.append((row, place, fault))
        for rule, mask in marked.items():
            if count := int(mask.sum()):
                marks[f"{column.name}: {rule}"] = count
    found.sort(key=lambda entry: entry[:2])
    return Checked(tuple(faults + [fault for _, _, fault in found]), marks, broken)


def _masks(series: pl.Series, column: Column, *, bounded: bool) -> tuple[pl.Series, dict[str, pl.Series]]:
    """Which rows are at fault, and which only marked, by rule."""
    null = _null(series, column.kind)
    wrong = _wrong(series, column.kind, bounded=bounded).fill_null(False) & ~null
    bad = wrong if column.nullable else wrong | null
    outside = _outside(series, column)
    if outside is None:
        return bad, {}
    rule, mask = outside
    mask = mask.fill_null(False) & ~null & ~wrong
    return (bad | mask, {}) if rule in column.declared else (bad, {rule: mask})


def _null(series: pl.Series, kind: Kind) -> pl.Series:
    null = series.is_null()
    if kind in ("integer", "float") and series.dtype.is_float():
        return null | series.is_nan().fill_null(False)
    return null


def _wrong(series: pl.Series, kind: Kind, *, bounded: bool) -> pl.Series:
    stored = kind_of(series.dtype)
    if series.dtype == pl.Null or (stored == kind and kind != "integer"):
        return _every(series, False)
    if kind == "integer" and stored in ("integer", "float"):
        wrong = _every(series, False)
        if stored == "float":
            wrong = ~(series.is_finite() & (series == series.floor()))
        return wrong | ~_between(series, -EXACT, EXACT) if bounded else wrong
    if kind == "float" and stored == "integer":
        return _every(series, False)
    if kind == "date" and series.dtype == pl.String:
        return read_dates(series).is_null()
    if kind == "datetime" and series.dtype == pl.String:
        return read_datetimes(series).is_null()
    return _every(series, True)


def _every(series: pl.Series, answer: bool) -> pl.Series:
    return pl.Series([answer]).new_from_index(0, series.len())


def _outside(series: pl.Series, column: Column) -> tuple[str, pl.Series] | None:
    stored = kind_of(series.dtype)
    if column.kind in ("integer", "float") and stored in ("integer", "float"):
        if column.minimum is None and column.maximum is None:
            return None
        return "range", ~_between(series, column.minimum, column.maximum)
    if column.kind == "string" and stored == "string" and column.categories is not None:
        return "categories", ~series.cast(pl.String).is_in(list(column.categories))
    return None


def _between(series: pl.Series, low: float | None, high: float | None) -> pl.Series:
    # Bounds as typed literals: a comparison must widen the column, never narrow the bound to it.
    value = pl.lit(series)
    inside = pl.lit(True)
    if low is not None:
        inside = inside & (value >= pl.lit(low, dtype=_dtype(low)))
    if high is not None:
        inside = inside & (value <= pl.lit(high, dtype=_dtype(high)))
    return pl.select(inside.alias(series.name)).to_series()


def _dtype(bound: float) -> pl.DataType:
    return pl.Int128() if isinstance(bound, int) else pl.Float64()
