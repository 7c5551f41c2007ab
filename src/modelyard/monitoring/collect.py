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

import msgspec
import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake

from modelyard.monitoring.outcomes import outcome_rows, outcomes_home
from modelyard.monitoring.sheet import Frame, fresh, home_of, opened, outage, rows, shape_of
from modelyard.predictions import LoggedFrame, LoggedOutcomes, Segment, load, segments

_CHUNK = 128 * 2**20
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
    by_table: dict[Path, list[LoggedFrame]] = {}
    told: dict[Path, list[LoggedOutcomes]] = {}
    damaged = set()
    for segment in chunk:
        content = load(segment)
        for found in content.frames:
            home = home_of(tables, environment, found.model.model)
            by_table.setdefault(home / shape_of(found), []).append(found)
        for heard in content.outcomes:
            told.setdefault(outcomes_home(tables, environment, heard.model), []).append(heard)
        if not content.intact:
            damaged.add(segment)
    moved = sum(_append(path, found, rows) for path, found in by_table.items())
    for path, some in told.items():
        _append(path, some, outcome_rows)
    for segment in chunk:
        if segment in damaged:
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            segment.path.unlink(missing_ok=True)
    return moved


def _append(path: Path, found: Sequence[Frame], make: Callable[[Sequence[Frame]], pl.DataFrame]) -> int:
    """Commit the frames that the table does not have yet, and see them on the disk."""
    table = opened(path)
    new = fresh(found, table)
    if not new:
        return 0
    last: dict[str, int] = {}
    for each in new:
        last[each.segment.writer] = max(each.segment.number, last.get(each.segment.writer, 0))
    written = make(new)
    path.mkdir(parents=True, exist_ok=True)
    write_deltalake(
        path,
        written,
        mode="append",
        configuration=_CONFIGURATION,
        commit_properties=CommitProperties(
            app_transactions=[Transaction(writer, number) for writer, number in last.items()]
        ),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )
    _sync(path, since=0 if table is None else table.version() + 1)
    return written.height


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


def _sync(path: Path, *, since: int) -> None:
    """The library does not fsync, and the segments are about to go."""
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
