"""Columns that hold more than one kind: nearly all numbers and a few texts, or integers that became floats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from modelyard.data import texts
from modelyard.records.dataset import DataFinding
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.delta import Part
from modelyard.tables.rules import show

_WORDS: dict[Kind, str] = {
    "float": "no number",
    "boolean": "neither true nor false",
    "date": "no date",
    "datetime": "no time",
}
_MOST = 0.1
"""Of a column's values; more of another kind make it a text."""
_FEWEST = 20
_LOOKED_AT = 10_000
"""Values that tell whether a column is worth reading whole."""


class Mixed(NamedTuple):
    kind: Kind
    """What nearly all values of the column are."""
    finding: DataFinding


def mixed(
    parts: Sequence[Part], schema: Schema, place: Callable[[int], str], *, settled: Collection[str] = ()
) -> Iterator[Mixed]:
    """Columns that are texts because of a few values, named with the first of them.

    ``place`` says where a row, counted from 1, came from; ``settled`` are columns that are not looked at.
    """
    for column in schema.columns:
        if column.kind != "string" or column.name in settled:
            continue
        head = pl.read_parquet(parts[0].path, columns=[column.name], n_rows=_LOOKED_AT, glob=False)
        kind = _nearly(head[column.name])
        if kind is not None and (found := _counted(parts, column, kind, place)) is not None:
            yield Mixed(kind, found)


def widened(columns: Sequence[str]) -> Iterator[DataFinding]:
    """Columns that were integer in the version before and are float now."""
    for name in columns:
        yield DataFinding(
            kind="widened",
            columns=(name,),
            figure=1.0,
            sentence=f"Column '{name}' was integer in the version before and is float now; if it should not be, "
            "mend the source and declare its kind in the schema file.",
        )


def _nearly(series: pl.Series) -> Kind | None:
    known = series.drop_nulls()
    if known.len() < _FEWEST:
        return None
    for kind in _WORDS:
        if _others(known, kind).len() <= _MOST * known.len():
            return kind
    return None


def _others(series: pl.Series, kind: Kind) -> pl.Series:
    """Indices of values of another kind. Digits that are no number (``007``) make a code, not a mistake."""
    found = texts.unlike(series, kind)
    return found.filter(~series[found].str.contains(r"^\s*[0-9]+\s*$"))


def _counted(
    parts: Sequence[Part], column: Column, kind: Kind, place: Callable[[int], str]
) -> DataFinding | None:
    count = values = before = 0
    first: tuple[int, str] | None = None
    for part in parts:
        series = pl.read_parquet(part.path, columns=[column.name], glob=False)[column.name]
        others = _others(series, kind)
        if first is None and others.len():
            first = before + int(others[0]) + 1, series[int(others[0])]
        count += others.len()
        values += series.len() - series.null_count()
        before += part.rows
    if first is None or count > _MOST * values:
        return None
    value = "" if column.personal else f", {show(first[1])}"
    return DataFinding(
        kind="mixed",
        columns=(column.name,),
        figure=count / values,
        sentence=f"Column '{column.name}' is read as texts, because {count:,} of its {values:,} values "
        f"{'is' if count == 1 else 'are'} {_WORDS[kind]}, the first in {place(first[0])}{value}; declare its kind in "
        "the schema file, and such values are refused and listed.",
    )
