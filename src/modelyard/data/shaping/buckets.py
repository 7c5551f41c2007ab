"""Rows dealt by a hash into buckets that fit into memory, and what is found there put back into the rows' order.

Joins and the search for repeated keys need all rows of one key at once, which a stream of rows does not
have. Rows are dealt by their key's hash into files, each file is worked on alone, and what it finds, by
row number, is dealt again into windows of the rows' order. A bucket and a window are each about
``ROOM`` bytes; only the rows of a single key, which always share a bucket, can make one larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from modelyard.data.shaping.settled import Settled, group_rows

ROW = "__row__"
"""The column that numbers rows from 0."""
ROOM = 2**26
"""Bytes."""
_MOST = 128
_SEED = 20_260
"""Of the hash; any number does, as long as both sides of a join have the same."""


def buckets_for(size: int, *, room: int = ROOM) -> int:
    """How many for so many bytes."""
    return max(1, min(_MOST, -(-size // room)))


@dataclass(frozen=True)
class Dealt:
    """A frame's rows in ``count`` buckets below a folder."""

    folder: Path
    count: int

    def bucket(self, number: int) -> pl.DataFrame | None:
        """Its rows, in order; None when there is none."""
        files = self._files(number)
        return pl.read_parquet(files, glob=False) if files else None

    def slices(self, number: int, rows: int) -> Iterator[pl.DataFrame]:
        """Its rows, in order, at most so many at once."""
        for file in self._files(number):
            total = pq.read_metadata(file).num_rows
            for first in range(0, total, rows):
                yield pl.scan_parquet(file, glob=False).slice(first, rows).collect(engine="streaming")

    def _files(self, number: int) -> list[Path]:
        return sorted(self.folder.glob(f"{number}-*.parquet"))


def deal(frame: pl.LazyFrame, by: Sequence[str], folder: Path, *, count: int) -> Dealt:
    """Rows of equal values in ``by`` go to one bucket, whatever frame they come from."""
    folder.mkdir(parents=True)
    number = pl.struct(by).hash(_SEED) % count if by else pl.lit(0, dtype=pl.UInt64)
    target = pl.PartitionBy(
        folder,
        key=number.alias("__bucket__"),
        include_key=False,
        file_path_provider=lambda at: f"{at.partition_keys.item(0, 0)}-{at.index_in_partition:06}.parquet",
    )
    frame.sink_parquet(target, compression="lz4", maintain_order=True, engine="streaming")
    return Dealt(folder, count)


@dataclass(frozen=True)
class Windows:
    """What was found for rows by their number, in windows of ``size`` rows below a folder."""

    folder: Path
    size: int

    def add(self, found: pl.DataFrame, name: str) -> None:
        """``found`` has a column ``ROW``; ``name`` is of this piece alone."""
        for (window,), part in found.group_by(pl.col(ROW) // self.size):
            place = self.folder / str(window)
            place.mkdir(parents=True, exist_ok=True)
            part.write_parquet(place / f"{name}.parquet", compression="lz4", statistics=False)

    def of(self, window: int) -> pl.DataFrame | None:
        files = sorted((self.folder / str(window)).glob("*.parquet"))
        return pl.read_parquet(files, glob=False) if files else None


def window_size(rows: Settled, *, room: int = ROOM) -> int:
    """Rows of a window."""
    return max(room * rows.rows // max(rows.size, 1), -(-rows.rows // (2 * _MOST)), 1)


def gather(
    rows: Settled,
    size: int,
    make: Callable[[pl.DataFrame, int], pl.DataFrame],
    path: Path,
) -> Settled:
    """``make`` of each window of the rows (with ``ROW``) and its number, written to ``path`` in order."""
    writer: Any = None
    try:
        for window, first in enumerate(range(0, rows.rows, size)):
            frame = numbered(rows.scan()).slice(first, size).collect(engine="streaming")
            table = make(frame, window).to_arrow()
            writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
            writer.write_table(table, row_group_size=group_rows(table.nbytes, table.num_rows))
    finally:
        if writer is not None:
            writer.close()
    return Settled(path)


def numbered(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
