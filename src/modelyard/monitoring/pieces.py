"""The files that a table of the prediction log is made of, and their rows a piece at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

_ROWS = 2**15
"""Read at a time."""
_BUFFER = 2**18
"""Bytes of a column that are fetched at a time; without it all that a row group has."""
_TRUNCATED = dt.timedelta(milliseconds=1)
"""A table's log tells times to the millisecond before."""


@dataclass(frozen=True)
class Cut:
    """From ``start`` up to, not including, ``end``; of one version, or of all."""

    start: dt.datetime
    end: dt.datetime
    version: int | None

    @property
    def wanted(self) -> pl.Expr:
        within = pl.col("at").is_between(self.start, self.end, closed="left")
        return within if self.version is None else within & (pl.col("version") == self.version)


EVER = Cut(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC), None)


@dataclass(frozen=True)
class Piece:
    """A data file that has rows of a cut, as far as the table's log tells; such a file never changes."""

    path: Path
    rows: int
    size: int
    """Bytes."""
    first: dt.datetime | None
    last: dt.datetime | None
    """No row is earlier and none later; None where the log does not tell."""
    versions: tuple[int, int] | None
    """The least and the greatest of its rows."""

    def within(self, cut: Cut) -> bool:
        """Whether all its rows are of the cut's time."""
        if self.first is None or self.last is None:
            return False
        return cut.start <= self.first and self.last < cut.end

    def may_hold(self, cut: Cut) -> bool:
        """Whether it can have rows of the cut."""
        if (
            self.first is not None
            and self.last is not None
            and (self.last < cut.start or self.first >= cut.end)
        ):
            return False
        return (
            cut.version is None
            or self.versions is None
            or (self.versions[0] <= cut.version <= self.versions[1])
        )


def pieces(table: DeltaTable, cut: Cut) -> list[Piece]:
    """The files of the table's newest version that may have rows of the cut, in the order of their names."""
    root = Path(unquote(table.table_uri.removeprefix("file://")))
    told = pl.DataFrame(table.get_add_actions(flatten=True)).select(
        pl.col("^(path|num_records|size_bytes|(min|max)[.](at|version))$")
    )
    found = [_piece(root, each) for each in told.iter_rows(named=True)]
    return sorted((piece for piece in found if piece.may_hold(cut)), key=lambda piece: piece.path.name)


def batches(piece: Piece, wanted: pl.Expr, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """The file's rows for which that is true, some at a time, in the memory of those and of a row group's bytes."""
    with pq.ParquetFile(piece.path, pre_buffer=False, buffer_size=_BUFFER) as file:
        held = None if columns is None else [c for c in columns if c in file.schema_arrow.names]
        for some in file.iter_batches(batch_size=_ROWS, columns=held):
            frame = pl.DataFrame(pa.Table.from_batches([some])).filter(wanted)
            if frame.height:
                yield frame


def _piece(root: Path, told: dict[str, object]) -> Piece:
    first, last = told.get("min.at"), told.get("max.at")
    low, high = told.get("min.version"), told.get("max.version")
    rows = told.get("num_records")
    return Piece(
        path=root / unquote(str(told["path"])),
        rows=rows if isinstance(rows, int) else 0,
        size=int(str(told["size_bytes"])),
        first=first if isinstance(first, dt.datetime) else None,
        last=last + _TRUNCATED if isinstance(last, dt.datetime) else None,
        versions=(low, high) if isinstance(low, int) and isinstance(high, int) else None,
    )
