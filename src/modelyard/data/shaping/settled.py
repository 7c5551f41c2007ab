"""A lazy frame written down: what is made of it is read from a file, not made again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from modelyard.errors import DataRefused, StoreDown
from modelyard.tables.kinds import kind_of

_FULL = re.compile(r"os error (?:27|28|122)\b|Errno (?:27|28|122)\b")
"""A file too large, no space left, a quota reached."""
_GROUP = 2**24
"""Bytes of a row group, which is what is written and read at once; Polars' own 100,000 wide rows are too many."""
_MOST_ROWS = 2**17


@dataclass(frozen=True)
class Settled:
    """Rows in one Parquet file."""

    path: Path

    @property
    def rows(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    @property
    def size(self) -> int:
        return size_of([self.path])

    def scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(self.path, glob=False)


def size_of(paths: Sequence[Path]) -> int:
    """About how many bytes the rows take in memory; labels that repeat are counted short."""
    total = 0
    for path in paths:
        found = pq.read_metadata(path)
        stored = sum(found.row_group(at).total_byte_size for at in range(found.num_row_groups))
        total += max(stored, 8 * found.num_rows * found.num_columns)
    return total


def group_rows(size: int, rows: int) -> int:
    """Rows of a row group, where that many take so many bytes."""
    return max(2**10, min(_MOST_ROWS, _GROUP * rows // max(size, 1)))


def settle(frame: pl.LazyFrame, path: Path, *, group: int) -> Settled:
    """Write the frame's rows, in order, by the streaming engine; decimals become floats or integers.

    ``group`` are the rows of a row group; several are held while they are written.
    What Polars raises is the caller's to explain; a disk that is full is ``StoreDown``.
    """
    casts = []
    for name, kind in frame.collect_schema().items():
        if isinstance(kind, pl.Decimal):
            casts.append(pl.col(name).cast(pl.Float64 if kind.scale else pl.Int64))
        elif isinstance(kind, pl.Datetime) and kind.time_zone is None:
            casts.append(pl.col(name).dt.replace_time_zone("UTC"))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        frame.with_columns(casts).sink_parquet(
            path, compression="lz4", row_group_size=group, maintain_order=True, engine="streaming"
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        if not _FULL.search(str(error)):
            raise
        raise StoreDown(f"The disk under {path.parent} is full; make room and run it again.") from None
    return Settled(path)


def refuse_types(schema: pl.Schema, dropped: tuple[str, ...]) -> None:
    """Raises ``DataRefused`` naming a column of a type that no dataset holds."""
    for name, kind in schema.items():
        if name not in dropped and kind != pl.Null and kind_of(kind) is None and not kind.is_decimal():
            raise DataRefused(
                f"The transform's column '{name}' is of type {kind}, which has no place in a dataset; "
                "make it a number, a text, a date or a time there."
            )


def reason(error: BaseException) -> str:
    """What Polars says, without its plan."""
    text = str(error).strip().split("\n\nResolved plan")[0].split("\n\nThis error occurred")[0]
    return " ".join(text.split()).rstrip(".")[:300]
