"""Staged sources as typed tables: every file read, checked and cleaned as it would be without a transform."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from modelyard.data.extraction import Kinds, read_through
from modelyard.data.headings import heading
from modelyard.data.shaping.cleaning import Cleaning, Lost
from modelyard.data.shaping.settled import group_rows, size_of
from modelyard.data.sources.staged import Staged

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Table:
    """One source; scanned, it has the storage types of its columns' kinds, in the order of its rows."""

    parts: tuple[Path, ...]
    columns: tuple[str, ...]
    rows: int

    @property
    def size(self) -> int:
        return size_of(self.parts)

    def scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(list(self.parts), glob=False)


@dataclass(frozen=True)
class _Piece:
    path: Path
    rows: int
    lost: Mapping[str, Lost]


def read(
    name: str, staged: Sequence[Staged], cleaning: Cleaning, folder: Path, *, tell: Progress, block: int
) -> Table:
    """Write the source into ``folder``, piece by piece. Raises as ``read_through``, and ``DataRefused`` for
    values that ``parse`` and ``cast`` lose."""
    folder.mkdir(parents=True)
    numbers = itertools.count()
    order: list[str] = []

    def begin(kinds: Kinds) -> None:
        called = f"'{name}'" if name != "source" else "the source"
        cleaning.check(list(kinds), called, heading(staged[0]))
        order[:] = [cleaning.rename.get(column, column) for column in kinds]

    def write(frame: pl.DataFrame) -> _Piece:
        path = folder / f"{next(numbers):06}.parquet"
        cleaned, lost = cleaning.clean(frame)
        cleaned.write_parquet(path, compression="lz4", statistics=False)
        return _Piece(path, frame.height, lost)

    reading = read_through(staged, write, schema=cleaning.hints(), begin=begin, tell=tell, block=block)
    cleaning.refuse([p.rows for p in reading.done], [p.lost for p in reading.done], reading.place)
    return Table(tuple(piece.path for piece in reading.done), tuple(order), reading.rows)


def joined_group(tables: Mapping[str, Table]) -> int:
    """Rows of a row group of what has the columns of all tables."""
    return min(group_rows(table.size * len(tables), table.rows) for table in tables.values())
