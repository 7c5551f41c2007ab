"""Rows and schemas of two dataset versions held against one another."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import polars as pl

from modelyard.records.dataset import DatasetVersion
from modelyard.records.difference import CellChange, ColumnChange, RowChanges, SchemaChange
from modelyard.records.run import Scalar
from modelyard.records.schema import Column, Schema
from modelyard.tables.split import SPLIT

CELLS = 20
"""Changed cells that are shown."""
HIDDEN = "(personal)"
"""In place of a value that nobody is told."""
_COUNT, _THERE, _OTHER = "__count__", "__there__", "__other__"


def differ(
    before: DatasetVersion, after: DatasetVersion, old: pl.LazyFrame, new: pl.LazyFrame
) -> tuple[tuple[SchemaChange, ...], RowChanges]:
    """What changed from ``before`` to ``after``; the frames are their rows with the split.

    Rows are told by the key where both have the same one, else by the content of the columns they share.
    """
    personal = {c.name for c in (*before.schema.columns, *after.schema.columns) if c.personal}
    shared = [c.name for c in after.schema.columns if _has(before.schema, c.name)]
    # integers may have become floats, and a column that was all null anything
    kinds = {n: before.schema.column(n).kind != after.schema.column(n).kind for n in shared}
    widened = [pl.col(n).cast(_dtype(new, n), strict=False) for n in shared if kinds[n]]
    old = old.with_columns(widened)
    key = after.schema.key
    if key and key == before.schema.key:
        rows = _by_key(old, new, key, [n for n in shared if n not in key])
        rows["cells"] = tuple(_without(cell, personal) for cell in rows["cells"])
    else:
        rows = _by_content(old, new, shared)
    counted = {**rows, "before": before.rows, "after": after.rows}
    return _schema(before.schema, after.schema), RowChanges(**counted)


def _has(schema: Schema, name: str) -> bool:
    return any(c.name == name for c in schema.columns)


def _dtype(frame: pl.LazyFrame, name: str) -> pl.DataType:
    return frame.collect_schema()[name]


def _by_key(old: pl.LazyFrame, new: pl.LazyFrame, key: tuple[str, ...], shared: list[str]) -> dict[str, Any]:
    mine = old.select(*key, *(pl.col(n).alias(f"{_OTHER}{n}") for n in [*shared, SPLIT]), _mark(_OTHER))
    ours = new.select(*key, *shared, SPLIT, _mark(_THERE))
    both = mine.join(ours, on=list(key), how="full", coalesce=True, nulls_equal=True)
    differs = {n: pl.col(n).ne_missing(pl.col(f"{_OTHER}{n}")) for n in shared}
    known = pl.col(_THERE).is_not_null() & pl.col(_OTHER).is_not_null()
    figures = both.select(
        added=pl.col(_OTHER).is_null().sum(),
        removed=pl.col(_THERE).is_null().sum(),
        changed=(known & pl.any_horizontal(*differs.values(), pl.lit(False))).sum(),
        moved=(known & (pl.col(SPLIT) != pl.col(f"{_OTHER}{SPLIT}"))).sum(),
        **{f"{_COUNT}{at}": (known & test).sum() for at, test in enumerate(differs.values())},
    ).collect()
    counts: dict[str, int] = {n: int(figures[n][0]) for n in ("added", "removed", "changed", "moved")}
    cells = {n: int(figures[f"{_COUNT}{at}"][0]) for at, n in enumerate(shared)}
    most = sorted((n for n in shared if cells[n]), key=lambda n: -cells[n])
    shown = _cells(both.filter(known), key, most, differs) if most else ()
    return {"by": "key", **counts, "columns": {n: cells[n] for n in most}, "cells": shown}


def _cells(
    both: pl.LazyFrame, key: tuple[str, ...], columns: list[str], differs: dict[str, pl.Expr]
) -> tuple[CellChange, ...]:
    wanted = [*key, *columns, *(f"{_OTHER}{n}" for n in columns)]
    changed = both.filter(pl.any_horizontal(*(differs[n] for n in columns))).select(wanted)
    found: list[CellChange] = []
    for row in changed.sort(*key).head(CELLS).collect().iter_rows(named=True):
        for name in columns:
            was, now = row[f"{_OTHER}{name}"], row[name]
            if not _same(was, now):
                place = {part: _plain(row[part]) for part in key}
                found.append(CellChange(key=place, column=name, before=_plain(was), after=_plain(now)))
    return tuple(found[:CELLS])


def _without(cell: CellChange, personal: set[str]) -> CellChange:
    """The change with what is personal in it hidden."""
    key: dict[str, Scalar | None] = {n: HIDDEN if n in personal else v for n, v in cell.key.items()}
    if cell.column not in personal:
        return msgspec.structs.replace(cell, key=key)
    return msgspec.structs.replace(cell, key=key, before=HIDDEN, after=HIDDEN)


def _by_content(old: pl.LazyFrame, new: pl.LazyFrame, shared: list[str]) -> dict[str, Any]:
    """Rows as a multiset: of n equal rows before and m after, |n - m| came or went."""
    mine = old.group_by(shared).agg(pl.len().alias(_OTHER))
    ours = new.group_by(shared).agg(pl.len().alias(_THERE))
    both = mine.join(ours, on=shared, how="full", coalesce=True, nulls_equal=True)
    gained = pl.col(_THERE).fill_null(0).cast(pl.Int64) - pl.col(_OTHER).fill_null(0).cast(pl.Int64)
    figures = both.select(
        added=gained.filter(gained > 0).sum(), removed=gained.filter(gained < 0).sum()
    ).collect()
    return {"by": "content", "added": int(figures["added"][0]), "removed": -int(figures["removed"][0])}


def _mark(name: str) -> pl.Expr:
    return pl.lit(True).alias(name)


def _same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)


def _plain(value: object) -> Scalar | None:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= 200 else f"{value[:200]}\u2026"
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _schema(before: Schema, after: Schema) -> tuple[SchemaChange, ...]:
    found: list[SchemaChange] = []

    def note(column: str, change: ColumnChange, sentence: str) -> None:
        found.append(SchemaChange(column=column, change=change, sentence=f"{column} {sentence}"))

    for column in before.columns:
        if not _has(after, column.name):
            note(column.name, "removed", f"({column.kind}) is gone")
    for column in after.columns:
        if not _has(before, column.name):
            note(column.name, "added", f"({column.kind}) is new")
            continue
        then = before.column(column.name)
        if then.kind != column.kind:
            note(column.name, "kind", f"was {then.kind} and is {column.kind}")
        if then.nullable != column.nullable:
            note(column.name, "nullable", "may be missing now" if column.nullable else "is never missing now")
        personal = then.personal or column.personal
        if _range(then) != _range(column):
            told = f"ranged over {_range(then)} and does over {_range(column)}"
            note(column.name, "range", "has another range" if personal else told)
        if then.categories != column.categories:
            note(column.name, "categories", "has other values" if personal else _labels(then, column))
    if before.targets != after.targets:
        was, now = ", ".join(before.targets), ", ".join(after.targets)
        note(now or was, "role", _role("target", was, now))
    if before.key != after.key:
        was, now = ", ".join(before.key), ", ".join(after.key)
        note(now or was, "role", _role("key", was, now))
    return tuple(found)


def _role(role: str, was: str, now: str) -> str:
    if not now:
        return f"is not the {role} any more"
    return f"is the {role} now" + (f" instead of {was}" if was else "")


def _range(column: Column) -> str:
    if column.minimum is None and column.maximum is None:
        return "any value"
    if column.kind in ("date", "datetime"):
        return f"{_moment(column.minimum, column)} to {_moment(column.maximum, column)}"
    return f"{_edge(column.minimum)} to {_edge(column.maximum)}"


def _edge(value: float | None) -> str:
    return "any" if value is None else f"{value:.6g}"


def _moment(value: float | None, column: Column) -> str:
    if value is None:
        return "any"
    try:
        if column.kind == "date":
            return (dt.date(1970, 1, 1) + dt.timedelta(days=value)).isoformat()
        return f"{dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=value):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return f"{value:.6g}"


def _labels(then: Column, now: Column) -> str:
    if then.categories is None or now.categories is None:
        return "has listed categories now" if now.categories else "has no listed categories any more"
    came = [f"'{c[:40]}'" for c in now.categories if c not in then.categories]
    went = [f"'{c[:40]}'" for c in then.categories if c not in now.categories]
    told = [f"{word} {_some(names)}" for word, names in (("gained", came), ("lost", went)) if names]
    return " and ".join(told) or "lists its categories in another order"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
