"""Many small files of the log made few, each of them within an hour, so that windows are made of whole ones.

The new files and the going of the old ones are one commit of the table: whoever reads, and whatever is killed, sees the one or the
other. The old files stay on the disk for those who read them still, until ``gc`` takes what no table is made of.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from modelyard.monitoring import kept
from modelyard.monitoring.collect import ROW_GROUP, synced
from modelyard.monitoring.pieces import EVER, Piece, batches, pieces
from modelyard.monitoring.sheet import opened, outage
from modelyard.storage.filelock import held

SMALL = 64 * 2**20
"""Bytes; larger files are left as they are."""
LOT = 256 * 2**20
"""Bytes that one commit puts together, at most by one file."""
_HOUR = dt.timedelta(hours=1)
_MOMENT = dt.timedelta(microseconds=1)
_BUFFERED = 3 * ROW_GROUP
"""Rows that wait in all, before each hour's are written."""


@dataclass(frozen=True)
class Compacted:
    """How many files of a model's tables became how many."""

    before: int = 0
    after: int = 0

    def __add__(self, other: Compacted) -> Compacted:
        return Compacted(self.before + other.before, self.after + other.after)


def compact(home: Path, *, until: dt.datetime, hourly: bool) -> Compacted:
    """Put the small files of each table in ``home`` together whose rows are all of before ``until``.

    ``hourly`` cuts where hours of UTC end. Another process that does the same is left to it; rows that are collected meanwhile
    stay in files of their own. Raises ``StoreDown`` when a disk fails; then everything is as it was.
    """
    made = Compacted()
    with outage(f"The files in {home} cannot be put together"):
        for path in sorted(home.iterdir()) if home.is_dir() else ():
            with contextlib.suppress(TimeoutError, CommitFailedError), held(path / ".compacting", wait=0):
                made += _table(path, until, hourly)
    return made


def strays(home: Path) -> Iterator[Path]:
    """Files of the tables in ``home`` that none of them is made of any more, and what was counted of such."""
    with outage(f"The tables in {home} cannot be read"):
        for path in sorted(home.iterdir()) if home.is_dir() else ():
            table = opened(path)
            if table is not None:
                names = {piece.path.name for piece in pieces(table, EVER)}
                yield from (file for file in sorted(path.glob("*.parquet")) if file.name not in names)
                yield from kept.stale(path, names)


def _table(path: Path, until: dt.datetime, hourly: bool) -> Compacted:
    made = Compacted()
    table = opened(path)
    if table is None:
        return made
    found = [p for p in pieces(table, EVER) if p.size < SMALL and p.rows and (not hourly or _over(p, until))]
    for lot in _lots(found, hourly):
        if some := _involved(lot, hourly):
            made += _together(DeltaTable(path), path, some, hourly)
    return made


def _over(piece: Piece, until: dt.datetime) -> bool:
    return piece.first is not None and piece.last is not None and piece.last <= until


def _lots(found: Sequence[Piece], hourly: bool) -> Iterator[list[Piece]]:
    """Neighbours in time, of one day where hours are cut."""
    lot: list[Piece] = []
    for piece in sorted(found, key=lambda p: (p.first or EVER.start, p.path.name)):
        if lot and (sum(p.size for p in lot) + piece.size > LOT or (hourly and _day(piece) != _day(lot[0]))):
            yield lot
            lot = []
        lot.append(piece)
    if lot:
        yield lot


def _day(piece: Piece) -> dt.date:
    return (piece.first or EVER.start).date()


def _involved(lot: Sequence[Piece], hourly: bool) -> list[Piece]:
    """Those that are not the only one of one hour."""
    if not hourly:
        return list(lot) if len(lot) > 1 else []
    of = Counter(hour for piece in lot for hour in _hours(piece))
    return [p for p in lot if len(_hours(p)) > 1 or any(of[hour] > 1 for hour in _hours(p))]


def _hours(piece: Piece) -> list[dt.datetime]:
    """From its first row's to its last row's."""
    assert piece.first is not None
    assert piece.last is not None
    first = _hour(piece.first)
    return [first + _HOUR * n for n in range(int((piece.last - _MOMENT - first) / _HOUR) + 1)]


def _hour(moment: dt.datetime) -> dt.datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _together(table: DeltaTable, path: Path, lot: Sequence[Piece], hourly: bool) -> Compacted:
    files: dict[object, _File] = {}
    try:
        for piece in lot:
            for some in batches(piece, pl.lit(True)):
                for hour, rows in _by_hour(some) if hourly else [(None, some)]:
                    files.setdefault(hour, _File(path)).add(rows)
                if sum(file.waiting for file in files.values()) > _BUFFERED:
                    for file in files.values():
                        file.write()
        adds: list[AddAction | RemoveAction] = [file.close() for file in files.values()]
        gone = int(time.time() * 1000)
        adds += [RemoveAction(piece.path.name, False, gone, piece.size, {}) for piece in lot]
        table.create_write_transaction(
            adds,
            "append",
            table.schema(),
            commit_properties=CommitProperties(max_commit_retries=20),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )
    except BaseException:
        for file in files.values():
            file.discard()
        raise
    synced(path, since=table.version())
    return Compacted(len(lot), len(files))


def _by_hour(rows: pl.DataFrame) -> Iterator[tuple[object, pl.DataFrame]]:
    for (hour,), some in rows.group_by(pl.col("at").dt.truncate("1h"), maintain_order=True):
        yield hour, some


class _File:
    """A data file while it is written; rows wait until they fill a row group."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"part-{uuid.uuid4()}.parquet"
        self._writer: Any = None
        self._parts: list[pl.DataFrame] = []
        self.waiting = self._rows = 0
        self._ends: dict[str, tuple[Any, Any]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        self._parts.append(rows)
        self.waiting += rows.height
        if self.waiting >= ROW_GROUP:
            self.write()

    def write(self) -> None:
        if not self._parts:
            return
        rows = pl.concat(self._parts)
        stored = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, stored.schema, compression="snappy")
        self._writer.write_table(stored, row_group_size=ROW_GROUP)
        for name in {"at", "version"} & set(rows.columns):
            known = rows[name].drop_nulls()
            if known.len():
                low, high = self._ends.get(name, (known.min(), known.max()))
                self._ends[name] = min(low, known.min()), max(high, known.max())
        self._rows += rows.height
        self._parts, self.waiting = [], 0

    def close(self) -> AddAction:
        """The file is on the disk then, and in no table yet."""
        self.write()
        self._writer.close()
        handle = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        stats = {
            "numRecords": self._rows,
            "minValues": {name: _told(low) for name, (low, _) in self._ends.items()},
            "maxValues": {name: _told(high) for name, (_, high) in self._ends.items()},
            "nullCount": {},
        }
        size = self._path.stat().st_size
        now = int(time.time() * 1000)
        return AddAction(self._path.name, size, {}, now, False, msgspec.json.encode(stats).decode())

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._path.unlink(missing_ok=True)


def _told(value: object) -> object:
    """As the format has it: times to the millisecond before."""
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
    return value
