"""One block of a file in the types that its columns are believed to have, or what speaks against them.

Arrow reads numbers and days from CSV as it parses, much faster than texts can be held against
``texts``'s rules, but it accepts more (``007``, ``0x10``, ``nan(1)``). Where a block has anything of
that sort, the column is read again as texts, and those rules decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa

from modelyard.data import texts
from modelyard.data.csv import Block, parse, zeros_ahead
from modelyard.data.texts import Fits
from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Kind
from modelyard.tables.kinds import DTYPES, convert, kind_of
from modelyard.tables.moments import read_uniform

_ARROW: dict[Kind | None, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
ALSO: dict[Kind, frozenset[Kind]] = {
    kind: frozenset(("integer", "float") if kind == "integer" else (kind,)) for kind in texts.ORDER
}
MOST_UNLIKE = 10_000
"""Values of a column that are told one by one."""
_FIRST_DAY = -719162
"""0001-01-01 in days since 1970."""


@dataclass
class Known:
    """What is known of one file's columns as it is read.

    ``ways`` says how a column of texts is best read: 0 as its type, 1 with ``NA`` and its like as nulls, 2
    as texts. ``settled`` are the columns of which a block was seen that only a text fits, or a float.
    Both only save work: what is read is the same without.
    """

    ways: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Unlike:
    """Values of one column that are none of its kind: how many, and the first of them by index."""

    count: int
    first: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Typed:
    """Of the believed columns those in ``columns`` came out; the others fit only what ``fits`` says.

    ``unlike`` are the values that do not fit what is known from before, by column.
    """

    rows: int
    columns: dict[str, pl.Series]
    fits: dict[str, Fits]
    unlike: dict[str, Unlike]


def type_table(table: pl.DataFrame, path: Path, kinds: Mapping[str, Kind | None]) -> Typed:
    """Rows whose types are their file's own (Parquet)."""
    found = Typed(table.height, {}, {}, {})
    for name, believed in kinds.items():
        series = table[name]
        if series.null_count() == series.len():
            found.fits[name] = Fits()
            found.columns[name] = _nothing(name, believed, series.len())
            continue
        kind = kind_of(series.dtype)
        if kind is None:
            raise DataRefused(
                f"{path}: column '{name}' is of type {series.dtype}, which has no place in a dataset; "
                "write it as a number, a text, a date or a time."
            )
        also = frozenset[Kind]() if kind == "string" else ALSO[kind]
        found.fits[name] = Fits(also, digits=False, values=True)
        if believed == kind or (believed == "float" and kind == "integer"):
            found.columns[name] = convert(series, Column(name=name, kind=believed))
    return found


def type_block(
    block: Block,
    path: Path,
    names: list[str],
    kinds: Mapping[str, Kind | None],
    hints: Mapping[str, Kind],
    known: Known,
) -> Typed:
    """Rows of a CSV file; ``hints`` are kinds that hold whatever the texts look like."""
    read = _read(block, path, names, kinds, known)
    rows = next(iter(read.values())).len()
    found = Typed(rows, {}, {}, {})
    doubted = {name for name, series in read.items() if series.dtype != pl.String}
    doubted = _doubtful(block, read, doubted, known)
    again = _texts(block, path, names, sorted(doubted)) if doubted else {}
    for name, believed in kinds.items():
        series = again.get(name, read[name])
        if series.dtype == pl.String:
            _type_texts(found, name, series, believed, hints.get(name), known)
        else:
            found.columns[name] = series.rename(name)
            digits = believed == "integer"
            found.fits[name] = Fits(ALSO[believed], digits, values=True)  # type: ignore[index]
    return found


def _read(
    block: Block, path: Path, names: list[str], kinds: Mapping[str, Kind | None], known: Known
) -> dict[str, pl.Series]:
    """Each column as its Arrow type or as texts."""
    while True:
        ways = {
            name: known.ways.get(name, 0) if kind in _ARROW and not isinstance(block.content, pa.Table) else 2
            for name, kind in kinds.items()
        }
        try:
            return {**_at(0, block, path, names, kinds, ways), **_at(1, block, path, names, kinds, ways)}
        except pa.ArrowInvalid as error:
            if (column := re.search(r"CSV column #([0-9]+)", str(error))) is None:
                raise
            name = names[int(column[1])]
            known.ways[name] = ways[name] + 1


def _at(
    way: int,
    block: Block,
    path: Path,
    names: list[str],
    kinds: Mapping[str, Kind | None],
    ways: Mapping[str, int],
) -> dict[str, pl.Series]:
    types = {
        name: _ARROW[kinds[name]] if ways[name] == way else pa.large_string()
        for name in kinds
        if ways[name] == way or (way == 0 and ways[name] == 2)
    }
    if not types:
        return {}
    nulls = ("",) if way == 0 else texts.NULLS
    return _frame(parse(path, block, names, types, nulls=nulls))


def _texts(block: Block, path: Path, names: list[str], wanted: list[str]) -> dict[str, pl.Series]:
    return _frame(parse(path, block, names, dict.fromkeys(wanted, pa.large_string())))


def _frame(table: pa.Table) -> dict[str, pl.Series]:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return {s.name: s.rechunk() for s in frame}


def _doubtful(block: Block, read: dict[str, pl.Series], names: set[str], known: Known) -> set[str]:
    """The columns that Arrow may have read where ``texts`` would not."""
    assert not isinstance(block.content, pa.Table) or not names
    if not names:
        return set()
    doubted = {name for name in names if _is_odd(read[name], name in known.settled)}
    if not isinstance(block.content, pa.Table) and zeros_ahead(block.content):
        doubted |= {name for name in names if read[name].dtype in (pl.Int64, pl.Float64)}
    return doubted


def _is_odd(series: pl.Series, settled: bool) -> bool:
    if series.null_count() == series.len():
        return True
    if series.dtype == pl.Date:
        return int(series.to_physical().min()) < _FIRST_DAY  # type: ignore[arg-type]
    if series.dtype != pl.Float64:
        return False
    # An overflow is an infinity here; and only a NaN is not equal to itself.
    if not series.is_finite().all():
        return True
    return not settled and bool((series == series.floor()).all())


def _type_texts(
    found: Typed, name: str, series: pl.Series, believed: Kind | None, hint: Kind | None, known: Known
) -> None:
    if series.null_count() == series.len():
        found.fits[name] = Fits()
        found.columns[name] = _nothing(name, believed, series.len())
    elif believed == "datetime" and (moments := read_uniform(series)) is not None:
        found.fits[name] = Fits(ALSO["datetime"], digits=False, values=True)
        found.columns[name] = moments
    elif hint is not None:
        _type_as_known(found, name, series, believed, hint)
    elif believed == "string" and name in known.settled:
        found.fits[name] = Fits(frozenset(), digits=False, values=True)
        found.columns[name] = series
    else:
        told = found.fits[name] = texts.fits(series)
        if told.values and not told.digits and not told.kinds - {"float"}:
            known.settled.add(name)
        if believed == "string":
            found.columns[name] = series
        elif believed is not None and (not told.values or believed in told.kinds):
            converted = texts.read(series, believed)
            assert converted is not None
            found.columns[name] = converted


def _type_as_known(found: Typed, name: str, series: pl.Series, believed: Kind | None, hint: Kind) -> None:
    if hint == "string":
        found.fits[name] = Fits(frozenset(), digits=False, values=True)
        found.columns[name] = series
        return
    for kind in ("integer", "float") if hint == "integer" else (hint,):
        converted = texts.read(series, kind)
        if kind == "float" and hint == "integer" and texts.beyond_integers(series).len():
            break
        if converted is not None:
            values = converted.null_count() < converted.len()
            found.fits[name] = Fits(ALSO[kind], digits=False, values=True) if values else Fits()
            if not values:
                found.columns[name] = _nothing(name, believed, series.len())
            elif believed in (kind, "float"):
                found.columns[name] = converted.cast(DTYPES[believed])
            return
    rows = texts.unlike(series, "float" if hint == "integer" else hint)
    if hint == "integer":
        rows = rows.append(texts.beyond_integers(series)).unique().sort()
    first = tuple((row, series[row]) for row in rows.head(MOST_UNLIKE).to_list())
    found.unlike[name] = Unlike(rows.len(), first)
    found.fits[name] = Fits(frozenset(), digits=False, values=True)


def _nothing(name: str, believed: Kind | None, rows: int) -> pl.Series:
    return pl.Series(name, [None], dtype=DTYPES[believed or "float"]).new_from_index(0, rows)
