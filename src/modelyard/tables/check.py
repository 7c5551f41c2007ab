"""Whether a table fits a schema, column by column in Polars; ``tables.rules`` writes the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables import expressions
from modelyard.tables.expressions import COMPARED, COMPUTED, Operator, Sort
from modelyard.tables.kinds import kind_of, read_dates, read_datetimes
from modelyard.tables.rules import (
    EXACT,
    Compiled,
    Fault,
    matcher,
    missing,
    row_rules,
    rule_fault,
    unknown,
    value_fault,
)


@dataclass(frozen=True)
class Checked:
    """``faults`` refuse the table; ``marks`` count, by ``column: rule``, what only inferred rules mind.

    ``faults`` lists at most ``limit`` rows of each column and rule between columns, in the order of
    rows; ``broken`` counts all values at fault, ``counts`` does by rule as ``marks`` are. ``bad`` says
    which rows are at fault.
    """

    faults: tuple[Fault, ...]
    marks: dict[str, int]
    broken: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    bad: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Boolean), compare=False)


def check(frame: pl.DataFrame, schema: Schema, *, limit: int | None = 20) -> Checked:
    """Hold every row against the schema; rows are numbered from 1.

    Features must all be there and nothing else; target, key and forbidden columns are held against
    their columns where they are. Types, nulls where none are allowed and declared rules are faults,
    inferred ranges and categories and rules of severity ``warn`` marks.
    """
    faults: list[Fault] = [missing(c) for c in schema.features if c.name not in frame.columns]
    known = {c.name for c in schema.columns}
    faults += [unknown(schema, name) for name in frame.columns if name not in known]
    counts: dict[str, int] = {}
    marks: dict[str, int] = {}
    found: list[tuple[int, int, Fault]] = []
    bad: dict[str, pl.Series] = {}

    def take(place: int, mask: pl.Series, write: Callable[[int], Fault | None]) -> None:
        rows = mask.arg_true() if limit is None else mask.arg_true().head(limit)
        for row in rows.to_list():
            fault = write(row)
            assert fault is not None, "the table's check and the rules disagree"
            found.append((row, place, fault))

    for place, column in enumerate(schema.columns):
        if column.name not in frame.columns:
            continue
        series = frame[column.name]
        bounded = column.name not in schema.key
        refused, marked = _masks(series, column, bounded=bounded)
        _count(counts, {f"{column.name}: {rule}": mask for rule, mask in refused.items()})
        _count(marks, {f"{column.name}: {rule}": mask for rule, mask in marked.items()})
        bad[column.name] = _any(refused, frame.height)
        take(
            place,
            bad[column.name],
            lambda row, c=column, s=series, b=bounded: value_fault(c, s[row], at=row + 1, bounded=b),  # type: ignore[misc]
        )
    for place, compiled in enumerate(row_rules(schema), start=len(schema.columns)):
        if not set(compiled.expression.columns) <= set(frame.columns):
            continue
        mask = _broken(frame, schema, compiled)
        for name in compiled.expression.columns:
            mask = mask & ~bad[name]
        _count(counts if compiled.refuses else marks, {compiled.mark: mask})
        if compiled.refuses:
            bad[f"\n{place}"] = mask
            take(
                place,
                mask,
                lambda row, r=compiled: rule_fault(r, schema, frame.row(row, named=True), at=row + 1),  # type: ignore[misc]
            )
    found.sort(key=lambda entry: entry[:2])
    return Checked(
        tuple(faults + [fault for _, _, fault in found]),
        marks,
        len(faults) + sum(counts.values()),
        counts,
        _any(bad, frame.height),
    )


def _count(counts: dict[str, int], masks: Mapping[str, pl.Series]) -> None:
    for name, mask in masks.items():
        if count := int(mask.sum()):
            counts[name] = count


def _any(masks: Mapping[str, pl.Series], rows: int) -> pl.Series:
    bad = pl.Series([False]).new_from_index(0, rows)
    for mask in masks.values():
        bad = bad | mask
    return bad


def _masks(
    series: pl.Series, column: Column, *, bounded: bool
) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """By rule which rows are at fault, each by its first rule, and which only marked."""
    null = _null(series, column.kind)
    wrong = _wrong(series, column.kind, bounded=bounded).fill_null(False) & ~null
    refused: dict[str, pl.Series] = {} if column.nullable else {"nullable": null}
    refused["kind"] = wrong
    marked = {"nullable": null} if "nullable" in column.warned else {}
    judged = null | wrong
    for rule, outside in _outside(series, column).items():
        mask = outside.fill_null(False)
        if rule in column.declared:
            refused[rule] = mask & ~judged
            judged = judged | refused[rule]
        else:
            marked[rule] = mask & ~null & ~wrong
    return refused, marked


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


def _outside(series: pl.Series, column: Column) -> dict[str, pl.Series]:
    """What the ranges, categories and patterns mind, in the order of ``rules.broken``."""
    stored = kind_of(series.dtype)
    found: dict[str, pl.Series] = {}
    if column.kind == "string" and stored == "string":
        if column.categories is not None:
            found["categories"] = ~series.cast(pl.String).is_in(list(column.categories))
        if column.pattern is not None:
            found["pattern"] = _unlike(series.cast(pl.String), column.pattern)
    elif column.kind not in ("string", "boolean") and not (column.minimum is None is column.maximum):
        if column.kind in ("date", "datetime"):
            series = _number(series, column.kind)
        if series.dtype.is_numeric():
            found["range"] = ~_between(series, column.minimum, column.maximum)
    return found


def _unlike(texts: pl.Series, pattern: str) -> pl.Series:
    """The requests' own matcher, once a distinct text: another engine would not always say the same."""
    matches = matcher(pattern)
    distinct = texts.drop_nulls().unique()
    unlike = distinct.filter(pl.Series([not matches(text) for text in distinct.to_list()], dtype=pl.Boolean))
    return texts.is_in(unlike.implode())


def _number(series: pl.Series, kind: Kind) -> pl.Series:
    """Values of a kind other than string as row rules compute with them; null where they do not fit it."""
    if series.dtype == pl.Null:
        return series.cast(pl.Float64)
    if kind == "date":
        dates = read_dates(series) if series.dtype == pl.String else series
        return dates.cast(pl.Int32).cast(pl.Float64) if dates.dtype == pl.Date else _nothing(series)
    if kind == "datetime":
        moments = read_datetimes(series) if series.dtype == pl.String else series
        if not isinstance(moments.dtype, pl.Datetime):
            return _nothing(series)
        return moments.cast(pl.Datetime("us", moments.dtype.time_zone)).to_physical().cast(pl.Float64)
    fits = series.dtype == pl.Boolean if kind == "boolean" else series.dtype.is_numeric()
    return series.cast(pl.Float64).fill_nan(None) if fits else _nothing(series)


def _nothing(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None], dtype=pl.Float64).new_from_index(0, series.len())


def _broken(frame: pl.DataFrame, schema: Schema, compiled: Compiled) -> pl.Series:
    """Where the rule is false."""
    kinds = {name: schema.column(name).kind for name in compiled.expression.columns}
    ready = pl.DataFrame(
        [
            _text(frame[name]) if kind == "string" else _number(frame[name], kind)
            for name, kind in kinds.items()
        ]
    )
    _, false = expressions.judge(compiled.expression.term, _Columns())
    return ready.select(false.alias("false")).to_series()


def _text(series: pl.Series) -> pl.Series:
    if kind_of(series.dtype) == "string":
        return series.cast(pl.String)
    return pl.Series(series.name, [None], dtype=pl.String).new_from_index(0, series.len())


class _Columns:
    """Expressions over a table, as ``expressions.Values`` asks for them; null is null."""

    def column(self, name: str, sort: Sort) -> pl.Expr:  # noqa: ARG002
        return pl.col(name)

    def constant(self, value: float | str) -> pl.Expr:
        return pl.lit(value)

    def arithmetic(self, sign: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
        result: pl.Expr = COMPUTED[sign](left, right)
        return result.fill_nan(None)

    def compare(self, sign: Operator, left: pl.Expr, right: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        holds = COMPARED[sign](left, right)
        return holds.fill_null(False), (~holds).fill_null(False)

    def is_null(self, value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        return value.is_null(), value.is_not_null()


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
