"""The prediction log as tables: segments compacted to Delta, and windows over both.

A model's predictions stand in ``predictions/ENVIRONMENT/MODEL/SHAPE``, one table for each set of
feature names and kinds that its versions had, so that no version changes another's types. A commit
carries, for each writer, the number of its last segment in it; only then the segments are deleted. A
run that is killed in between finds those numbers and does not write the rows again (the library takes
the same transaction twice, so they are read first).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from modelyard.errors import DataRefused, StoreDown
from modelyard.predictions import LoggedFrame, Segment, load, read, segments
from modelyard.records.schema import Column
from modelyard.tables.kinds import DTYPES

AT = pl.Datetime("us", "UTC")
COLUMNS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "row": pl.Int64(),
    "at": AT,
    "model": pl.String(),
    "version": pl.Int64(),
    "model_id": pl.String(),
    "client_id": pl.String(),
    "latency": pl.Float64(),
    "writer": pl.String(),
    "sequence": pl.Int64(),
}
"""Beside ``prediction``, ``probability`` (list of float64 or null), of a regression of quantiles ``quantiles``
(the same), and ``features``."""

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
    with _outage(f"The predictions in {folder} cannot be collected into {tables}"), _alone(folder):
        _sweep(folder)
        complete = [segment for segment in segments(folder) if segment.is_complete()]
        return sum(_move(chunk, tables, environment) for chunk in _chunks(complete))


def window(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    start: dt.datetime,
    end: dt.datetime,
    version: int | None = None,
) -> pl.DataFrame:
    """All predictions logged from ``start`` up to, not including, ``end``, in the order of time.

    One row each: ``COLUMNS``, ``prediction``, ``probability`` and ``features``, a struct of the features
    in the kinds' storage types (a struct, since a feature may be called ``version``; ``features`` gives
    them as a frame). What is not collected yet is included; nothing comes twice. An empty window has
    ``COLUMNS`` only. ``version`` leaves out what others answered. Raises ``DataRefused`` when versions
    in it differ in a feature's kind, ``StoreDown`` when log or tables cannot be read.
    """
    first, last = _microseconds(start), _microseconds(end)
    wanted = pl.col("at").is_between(start, end, closed="left")
    if version is not None:
        wanted = wanted & (pl.col("version") == version)
    home = _home(tables, environment, model)
    parts = []
    with _outage(f"The predictions in {folder} and {home} cannot be read"):
        # The log is read before the tables: what leaves it in between is in the tables then.
        tail: dict[str, list[LoggedFrame]] = {}
        for found in read(folder) if folder.is_dir() else ():
            fits = version is None or found.model.version == version
            if fits and found.model.model == model and first <= round(found.at * 1e6) < last:
                tail.setdefault(_shape(found), []).append(found)
        shapes = {path.name for path in home.iterdir()} if home.is_dir() else set()
        for shape in sorted(shapes | tail.keys()):
            table = _open(home / shape)
            if table is not None:
                parts.append(pl.scan_delta(table).filter(wanted).collect())
            if fresh := _fresh(tail.get(shape, []), table):
                parts.append(_rows(fresh))
    return _union([part for part in parts if part.height])


def features(rows: pl.DataFrame) -> pl.DataFrame:
    """A window's features under their own names; without columns when the window is empty."""
    return rows["features"].struct.unnest() if "features" in rows.columns else pl.DataFrame()


def _microseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _move(chunk: Sequence[Segment], tables: Path, environment: str) -> int:
    by_table: dict[Path, list[LoggedFrame]] = {}
    damaged = set()
    for segment in chunk:
        content = load(segment)
        for found in content.frames:
            home = _home(tables, environment, found.model.model)
            by_table.setdefault(home / _shape(found), []).append(found)
        if not content.intact:
            damaged.add(segment)
    moved = sum(_append(path, found) for path, found in by_table.items())
    for segment in chunk:
        if segment in damaged:
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            segment.path.unlink(missing_ok=True)
    return moved


def _append(path: Path, found: Sequence[LoggedFrame]) -> int:
    """Commit the frames that the table does not have yet, and see them on the disk."""
    table = _open(path)
    fresh = _fresh(found, table)
    if not fresh:
        return 0
    last: dict[str, int] = {}
    for each in fresh:
        last[each.segment.writer] = max(each.segment.number, last.get(each.segment.writer, 0))
    rows = _rows(fresh)
    path.mkdir(parents=True, exist_ok=True)
    write_deltalake(
        path,
        rows,
        mode="append",
        configuration=_CONFIGURATION,
        commit_properties=CommitProperties(
            app_transactions=[Transaction(writer, number) for writer, number in last.items()]
        ),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )
    _sync(path, since=0 if table is None else table.version() + 1)
    return rows.height


def _fresh(found: Sequence[LoggedFrame], table: DeltaTable | None) -> list[LoggedFrame]:
    """The frames of segments that no commit of the table names."""
    if table is None:
        return list(found)
    writers = {each.segment.writer for each in found}
    had = {writer: table.transaction_version(writer) or 0 for writer in writers}
    return [each for each in found if each.segment.number > had[each.segment.writer]]


def _rows(found: Sequence[LoggedFrame]) -> pl.DataFrame:
    """Frames of one shape as a table."""
    lengths = [len(each) for each in found]
    counts = np.concatenate([np.asarray(each.counts, np.int64) for each in found])
    requests = np.repeat(np.arange(len(counts)), counts)
    ids = pl.Series([i for each in found for i in each.ids], dtype=pl.Binary).cast(pl.String)
    clients = pl.Series([i for each in found for i in each.client_ids], dtype=pl.String)
    total = int(counts.sum())

    def each_row(values: Sequence[object], dtype: pl.DataType) -> pl.Series:
        return pl.Series(values, dtype=dtype).gather(np.repeat(np.arange(len(found)), lengths))

    first = found[0].model
    columns = {
        "request_id": ids.gather(requests),
        "row": pl.Series(np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)),
        "at": each_row([round(each.at * 1e6) for each in found], pl.Int64()).cast(AT),
        "model": each_row([each.model.model for each in found], pl.String()),
        "version": each_row([each.model.version for each in found], pl.Int64()),
        "model_id": each_row([each.model.model_id for each in found], pl.String()),
        "client_id": clients.gather(requests),
        "latency": each_row([each.latency for each in found], pl.Float64()),
        "writer": each_row([each.segment.writer for each in found], pl.String()),
        "sequence": pl.Series(np.concatenate([each.sequence + np.arange(len(each)) for each in found])),
        "prediction": _predictions(found),
        "probability": _listed([each.probability for each in found], lengths),
    }
    if first.quantiles:
        columns["quantiles"] = _listed([each.quantiles for each in found], lengths)
    numbers = np.concatenate([each.numbers for each in found])
    texts = np.concatenate([each.texts for each in found])
    cells = [_feature(first.schema.column(n), numbers[:, j]) for j, n in enumerate(first.layout.numbers)]
    cells += [pl.Series(n, texts[:, j].tolist(), dtype=pl.String) for j, n in enumerate(first.layout.texts)]
    names = [column.name for column in first.schema.features]
    frame = pl.DataFrame(columns)
    return frame.with_columns(pl.DataFrame(cells).select(names).to_struct("features"))


def _predictions(found: Sequence[LoggedFrame]) -> pl.Series:
    if found[0].model.task == "regression":
        return pl.Series(np.concatenate([np.asarray(each.prediction) for each in found]))
    labels = [label for each in found for label in each.prediction]
    dtype = _label(found[0])
    return pl.Series(labels, dtype=dtype, strict=dtype != pl.String)  # classes of several types as texts


def _listed(
    parts: Sequence[np.ndarray[Any, np.dtype[np.float64]] | None], lengths: Sequence[int]
) -> pl.Series:
    nothing = pl.List(pl.Float64)
    return pl.concat(
        [
            pl.Series([None] * length, dtype=nothing) if part is None else pl.Series(part).arr.to_list()
            for part, length in zip(parts, lengths, strict=True)
        ]
    )


def _label(found: LoggedFrame) -> pl.DataType:
    kinds = {type(label) for label in found.model.classes}
    if found.model.task == "regression":
        return pl.Float64()
    return (
        {bool: pl.Boolean(), int: pl.Int64()}.get(kinds.pop(), pl.String())
        if len(kinds) == 1
        else pl.String()
    )


def _feature(column: Column, numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pl.Series:
    values = pl.Series(column.name, numbers).fill_nan(None)
    if column.kind == "boolean":
        return values.cast(pl.Boolean)
    if column.kind == "date":
        return values.cast(pl.Int32).cast(pl.Date)
    if column.kind == "datetime":
        return values.cast(pl.Int64).cast(AT)
    return values.cast(DTYPES[column.kind])


def _union(parts: list[pl.DataFrame]) -> pl.DataFrame:
    if not parts:
        return pl.DataFrame(schema=COLUMNS)
    try:
        together = pl.concat([features(part) for part in parts], how="diagonal")
        answers = pl.concat([part.drop("features") for part in parts], how="diagonal")
    except pl.exceptions.PolarsError as error:
        raise DataRefused(
            f"The window spans versions whose columns differ in kind ({error}); ask for one version."
        ) from None
    return answers.with_columns(together.to_struct("features")).sort("at", "writer", "sequence")


def _shape(found: LoggedFrame) -> str:
    """What rows must share to stand in one table."""
    model = found.model
    shape: list[object] = [[(c.name, c.kind) for c in model.schema.features], str(_label(found))]
    if model.quantiles:
        shape.append("quantiles")
    return hashlib.sha256(msgspec.json.encode(shape)).hexdigest()[:16]


def _home(tables: Path, environment: str, model: str) -> Path:
    return tables / "predictions" / _safe(environment) / _safe(model)


def _safe(name: str) -> str:
    """A folder's name; not by ``%``, which the library would decode again."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"~{ord(found[0]):x}~", name)


def _open(path: Path) -> DeltaTable | None:
    return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None


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
def _outage(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, DeltaError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreDown(f"{what} ({cause[:200]}); see to the disk and run it again.") from None


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
