"""The prediction log as tables: segments compacted to Delta, and windows over both.

A model's predictions stand in ``predictions/ENVIRONMENT/MODEL/SHAPE``, one table for each set of
feature names and kinds that its versions had, so that no version changes another's types. A commit
carries, for each writer, the number of its last segment in it; only then the segments are deleted. A
run that is killed in between finds those numbers and does not write the rows again (the library takes
the same transaction twice, so they are read first).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic

import msgspec
import polars as pl
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)

from modelyard.monitoring.minutes import minute_rows, minutes_home
from modelyard.monitoring.outcomes import outcome_rows, outcomes_home
from modelyard.monitoring.sheet import Frame, fresh, home_of, opened, outage, rows, shape_of
from modelyard.predictions import LoggedFrame, LoggedMinutes, LoggedOutcomes, Segment, load, segments

_CHUNK = 32 * 2**20
"""Bytes of segments that one commit moves: a process takes half a gigabyte for them."""
ROW_GROUP = 100_000
"""Rows that a reader takes into memory at least."""
_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


def collect(folder: Path, tables: Path, *, environment: str) -> int:
    """Move the complete segments of ``folder`` into the tables; how many predictions were moved.

    Segments that a worker still writes stay. One collector works on a folder at a time; another waits
    for it. A segment that holds anything else than intact frames is kept as ``.damaged`` once those moved.
    Raises ``StoreDown`` when a disk fails; what was not moved stays where it is.
    """
    if not folder.is_dir():
        return 0
    with outage(f"The predictions in {folder} cannot be collected into {tables}"), _alone(folder):
        _sweep(folder)
        complete = [segment for segment in segments(folder) if segment.is_complete()]
        return sum(_move(chunk, tables, environment) for chunk in _chunks(complete))


def _move(chunk: Sequence[Segment], tables: Path, environment: str) -> int:
    predictions: dict[Path, _Addition[LoggedFrame]] = {}
    outcomes: dict[Path, _Addition[LoggedOutcomes]] = {}
    minutes: dict[Path, _Addition[LoggedMinutes]] = {}
    damaged = set()
    for segment in chunk:
        content = load(segment)
        for found in content.frames:
            path = home_of(tables, environment, found.model.model) / shape_of(found)
            predictions.setdefault(path, _Addition(path, rows)).add(found)
        for heard in content.outcomes:
            path = outcomes_home(tables, environment, heard.model)
            outcomes.setdefault(path, _Addition(path, outcome_rows)).add(heard)
        for counted in content.minutes:
            path = minutes_home(tables, environment, counted.model)
            minutes.setdefault(path, _Addition(path, minute_rows)).add(counted)
        if not content.intact:
            damaged.add(segment)
        for answered in predictions.values():
            answered.settle()
        for told in outcomes.values():
            told.settle()
        for counts in minutes.values():
            counts.settle()
        del content  # before the next one comes
    moved = sum(answered.commit() for answered in predictions.values())
    for told in outcomes.values():
        told.commit()
    for counts in minutes.values():
        counts.commit()
    for segment in chunk:
        if segment in damaged:
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            segment.path.unlink(missing_ok=True)
    return moved


class _Addition(Generic[Frame]):
    """What one commit adds to a table: the frames that the table does not have yet."""

    def __init__(self, path: Path, make: Callable[[Sequence[Frame]], pl.DataFrame]) -> None:
        self._path = path
        self._make: Callable[[Sequence[Frame]], pl.DataFrame] = make
        self._table = opened(path)
        self._waiting: list[Frame] = []
        self._parts: list[pl.DataFrame] = []
        self._last: dict[str, int] = {}

    def add(self, found: Frame) -> None:
        self._waiting.append(found)

    def settle(self) -> None:
        """Take what was added as columns, so that a segment's bytes can go before the next one's come."""
        new = fresh(self._waiting, self._table)
        self._waiting = []
        for each in new:
            self._last[each.segment.writer] = max(each.segment.number, self._last.get(each.segment.writer, 0))
        if new:
            self._parts.append(self._make(new))

    def commit(self) -> int:
        """How many rows there were, on the disk by now."""
        if not self._parts:
            return 0
        self._path.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self._path,
            pl.concat(self._parts),
            mode="append",
            configuration=_CONFIGURATION,
            writer_properties=WriterProperties(max_row_group_size=ROW_GROUP),
            commit_properties=CommitProperties(
                app_transactions=[Transaction(writer, number) for writer, number in self._last.items()]
            ),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )
        synced(self._path, since=0 if self._table is None else self._table.version() + 1)
        return sum(part.height for part in self._parts)


def _chunks(complete: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Neighbouring segments, as many as a commit takes into memory."""
    chunk: list[Segment] = []
    size = 0
    for segment in complete:
        size += segment.path.stat().st_size
        if chunk and size > _CHUNK:
            yield chunk
            chunk, size = [], segment.path.stat().st_size
        chunk.append(segment)
    if chunk:
        yield chunk


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A lease that ends with the process that holds it."""
    file = os.open(folder / "collect.lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _sweep(folder: Path) -> None:
    """Remove what a writer left that was killed while it made a segment."""
    for path in folder.glob("*.new"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()


def synced(path: Path, *, since: int) -> None:
    """See the commits from that one on and their files on the disk: the library does not fsync, and what they came from is about to go."""
    table = DeltaTable(path)
    log = path / "_delta_log"
    commits = [log / f"{version:020}.json" for version in range(since, table.version() + 1)]
    for file in (*_added(commits, path), *commits, log, path):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _added(commits: Sequence[Path], path: Path) -> Iterator[Path]:
    for commit in commits:
        for line in commit.read_bytes().splitlines():
            action = msgspec.json.decode(line)
            if "add" in action:
                yield path / action["add"]["path"]
