"""A schema from the rows themselves: everything in it is inferred, nothing declared."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import polars as pl

from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.kinds import kind_of

MOST_CATEGORIES = 50
MOST_DISTINCT = 256
MOST_LETTERS = 2**16
"""Of all distinct texts of a column together, while they are listed."""
_GLANCE = 5000
"""Rows of a piece that mostly tell whether its values are too many."""


@dataclass(frozen=True)
class Seen:
    """What some rows of a column hold; rows add up in any order.

    ``low`` and ``high`` are over finite numbers, and over days and times as their storage's numbers.
    ``distinct`` are the texts or finite numbers while there are at most 256 (and 65,536 letters in them), None
    when there are more.
    """

    rows: int = 0
    nulls: int = 0
    nans: int = 0
    infinities: int = 0
    low: float | None = None
    high: float | None = None
    distinct: frozenset[str] | frozenset[float] | None = frozenset()

    def __add__(self, other: Seen) -> Seen:
        distinct = None
        if self.distinct is not None and other.distinct is not None:
            if self.distinct >= other.distinct:
                distinct = self.distinct
            else:
                both = frozenset([*self.distinct, *other.distinct])
                distinct = both if _are_few(both) else None
        lows = [x for x in (self.low, other.low) if x is not None]
        highs = [x for x in (self.high, other.high) if x is not None]
        return Seen(
            self.rows + other.rows,
            self.nulls + other.nulls,
            self.nans + other.nans,
            self.infinities + other.infinities,
            min(lows, default=None),
            max(highs, default=None),
            distinct,
        )

    @property
    def values(self) -> int:
        """How many are not null."""
        return self.rows - self.nulls


def look(series: pl.Series, *, distinct: bool = True) -> Seen:
    """What the column's rows hold; ``distinct=False`` leaves its values uncounted, as too many."""
    rows, nulls = series.len(), series.null_count()
    kind = kind_of(series.dtype)
    if kind is None or nulls == rows:
        return Seen(rows, nulls, distinct=frozenset() if distinct else None)
    if kind == "string":
        texts = series if series.dtype == pl.String else series.cast(pl.String)
        return Seen(rows, nulls, distinct=_distinct(texts, distinct))
    nans = infinities = 0
    finite = series
    if kind == "float":
        nans = int(series.is_nan().sum())
        infinities = int(series.is_infinite().sum())
        if nans or infinities:
            finite = series.filter(series.is_finite())
    elif kind != "integer":
        finite = series.to_physical()
    low, high = finite.min(), finite.max()
    return Seen(
        rows,
        nulls,
        nans,
        infinities,
        None if low is None else float(low),  # type: ignore[arg-type]
        None if high is None else float(high),  # type: ignore[arg-type]
        _distinct(finite, distinct),
    )


def _distinct(series: pl.Series, wanted: bool) -> frozenset[str] | frozenset[float] | None:
    if not wanted:
        return None
    for part in (series.head(_GLANCE), series):
        found = part.drop_nulls().unique()
        if found.len() > MOST_DISTINCT:
            return None
        if part.len() == series.len():
            break
    if series.dtype != pl.String:
        return frozenset(float(v) for v in found.to_list())
    texts = frozenset(found.to_list()) if int(found.str.len_bytes().sum()) <= 4 * MOST_LETTERS else None
    return texts if texts is not None and _are_few(texts) else None


def _are_few(values: frozenset[str] | frozenset[float]) -> bool:
    if len(values) > MOST_DISTINCT:
        return False
    return sum(len(value) for value in values if isinstance(value, str)) <= MOST_LETTERS


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
    columns = []
    for series in frame:
        kind = kind_of(series.dtype)
        if kind is None and series.dtype != pl.Null and series.null_count() < series.len():
            raise DataRefused(
                f"Column '{series.name}' is of type {series.dtype}, which has no place in a dataset; "
                "write it as a number, a text, a date or a time."
            )
        columns.append(describe(series.name, kind or "float", look(series), plain=series.name in key))
    return Schema(columns=tuple(columns), target=target, key=tuple(key))


def describe(name: str, kind: Kind, seen: Seen, *, plain: bool) -> Column:
    """The column that was seen, as ``infer`` describes it; ``plain`` for keys."""
    if not seen.values:
        return Column(name=name, kind="float", nullable=True)
    column = Column(name=name, kind=kind, nullable=seen.nulls + seen.nans > 0)
    if plain:
        return column
    if kind in ("integer", "float"):
        return msgspec.structs.replace(column, minimum=seen.low, maximum=seen.high)
    if kind == "string" and seen.distinct is not None and len(seen.distinct) <= MOST_CATEGORIES:
        listed = tuple(sorted(map(str, seen.distinct)))
        return msgspec.structs.replace(column, categories=listed if 2 * len(listed) <= seen.values else None)
    return column


def is_blank(column: Column) -> bool:
    """Whether the column was inferred from no value at all (or from infinities only)."""
    return (
        column.kind == "float"
        and column.nullable
        and column.minimum is None
        and not (column.declared or column.personal)
    )
