"""What a whole dataset must be: values that come once, how many rows, how fresh."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from modelyard.records.schema import Schema, Severity


@dataclass(frozen=True)
class Unmet:
    """An expectation that a dataset does not meet.

    ``mark`` is what it is counted by, ``clause`` says it in words. ``rows`` are at fault and ``first``, from 1, is
    the first of them; of the whole table they are 0 and None.
    """

    mark: str
    clause: str
    severity: Severity
    rows: int = 0
    first: int | None = None


def repeated(frame: pl.LazyFrame, schema: Schema) -> tuple[Unmet, ...]:
    """Columns marked unique in which a value comes more than once; nulls repeat nothing.

    The frame is in storage types and is read once a column.
    """
    found = []
    for column in schema.columns:
        if (
            column.unique
            and (unmet := _repeated(frame, column.name, "unique" in column.declared)) is not None
        ):
            found.append(unmet)
    return tuple(found)


def _repeated(frame: pl.LazyFrame, name: str, refuses: bool) -> Unmet | None:
    rows = pl.len().alias("\nrows")
    values = (
        frame.select(pl.col(name).alias("value"))
        .with_row_index("\nat")
        .filter(pl.col("value").is_not_null())
        .group_by("value")
        .agg(rows, pl.col("\nat").min())
        .filter(pl.col("\nrows") > 1)
        .select(pl.col("\nrows").sum(), pl.col("\nat").min(), pl.len().alias("values"))
        .collect(engine="streaming")
    )
    count, first, distinct = values.row(0)
    if not count:
        return None
    plural = "value comes" if distinct == 1 else "values come"
    clause = f"'{name}' is declared unique, and {distinct} {plural} more than once, in {count} rows"
    return Unmet(f"{name}: unique", clause, "error" if refuses else "warn", count, first + 1)


def repeats(frame: pl.DataFrame, schema: Schema) -> dict[str, pl.Series]:
    """Which rows hold a repeated value of a column declared unique, by column."""
    return {
        c.name: frame[c.name].is_duplicated() & frame[c.name].is_not_null()
        for c in schema.columns
        if c.unique and "unique" in c.declared and c.name in frame.columns
    }


def too_few_or_many(
    rows: int, *, least: int | None, most: int | None, severity: Severity
) -> tuple[Unmet, ...]:
    """Whether a dataset has as many rows as it should."""
    if least is not None and rows < least:
        return (Unmet("table: rows", f"there are {rows} rows, and at least {least} are declared", severity),)
    if most is not None and rows > most:
        return (Unmet("table: rows", f"there are {rows} rows, and at most {most} are declared", severity),)
    return ()


def newest(frame: pl.LazyFrame, column: str) -> dt.datetime | None:
    """The latest day or time of a column, in UTC; None when it has no value."""
    value = frame.select(pl.col(column).max()).collect(engine="streaming").item()
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return None if value is None else dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)


def stale(
    latest: dt.datetime | None, *, column: str, within: dt.timedelta, now: dt.datetime, severity: Severity
) -> tuple[Unmet, ...]:
    """Whether the newest value of a column is too long ago. A day counts from its beginning."""
    if latest is None:
        return (Unmet("table: freshness", f"'{column}' has no value to tell freshness by", severity),)
    if now - latest <= within:
        return ()
    clause = f"the newest '{column}' is {latest.isoformat()}, older than the declared {_span(within)}"
    return (Unmet("table: freshness", clause, severity),)


def _span(span: dt.timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name if seconds > unit else name[:-1]}"
    return f"{seconds} seconds"


def words(unmet: Sequence[Unmet]) -> str:
    """Their clauses, one after the other."""
    return "; ".join(one.clause for one in unmet)
