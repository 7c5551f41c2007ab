"""A batch's parts: read, checked, answered and kept, on all cores."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl
import pyarrow.parquet as pq

from modelyard.data.outlets import ROW
from modelyard.data.passage import Part, parts, read
from modelyard.data.staging import Staged
from modelyard.errors import AuthorError, StepDied, StoreDown
from modelyard.predictor import Answers, Manifest, Predictor, open_package, verify
from modelyard.records.schema import Schema
from modelyard.records.trust import Trust
from modelyard.tables import held
from modelyard.tables.batch import Batch
from modelyard.tables.check import check
from modelyard.tables.gather import gather
from modelyard.tables.rules import of_features

_MOST_FAILED = 100
"""Rows of a part on which the model may fail, each refused; beyond them it is the model that is wrong."""
FILE, REASONS = "__file__", "__reasons__"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What every part needs; goes to processes of their own where the model is native."""

    folder: Path
    digest: str
    trust: Trust
    schema: Schema
    features: tuple[str, ...]
    keep: tuple[str, ...]
    """Empty: the row's number is kept."""
    parts: Path

    @property
    def wanted(self) -> list[str]:
        return list(dict.fromkeys((*self.keep, *self.features)))


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is answered and kept; its file is written last."""

    number: int
    rows: int
    refused: int
    origin: str
    marks: dict[str, int] = {}
    resumed: bool = False


class Pool(Protocol):
    """What answers parts side by side, ``many`` at a time, and keeps what came of each in the work's folder."""

    many: int

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def ask(self, work: Work, part: Part) -> Future[Done]: ...


def run(work: Work, staged: tuple[Staged, ...], pool: Pool, *, tell: Callable[[str], None]) -> list[Done]:
    """Answer all parts that are not done yet; in their order, with where each begins."""
    before = {int(path.stem): path for path in work.parts.glob("*.json")}
    done: list[Done] = []
    rows = 0
    begun, at = time.monotonic(), 0
    whole = max(1, sum(file.path.stat().st_size for file in staged))
    with pool:
        for found, size in _in_order(pool, work, parts(staged, work.wanted), before):
            done.append(found)
            rows += found.rows
            at += size
            pace = rows / max(1e-9, time.monotonic() - begun)
            tell(f"{rows:,} rows, about {min(99, 100 * at // whole)} %, {pace:,.0f} rows/s")
    return done


def _in_order(
    pool: Pool, work: Work, given: Iterator[Part], before: dict[int, Path]
) -> Iterator[tuple[Done, int]]:
    """Only a few parts are held at a time."""
    waiting: deque[tuple[Future[Done] | Path, int]] = deque()

    def result(one: Future[Done] | Path) -> Done:
        if isinstance(one, Path):
            return msgspec.structs.replace(msgspec.json.decode(one.read_bytes(), type=Done), resumed=True)
        try:
            return one.result()
        except BrokenProcessPool:
            raise StepDied(
                "A process that asked the model was ended by force (out of memory?); run it again, perhaps with "
                "--processes 1: what is done is kept."
            ) from None

    try:
        for part in given:
            found = before.get(part.number)
            waiting.append((found or pool.ask(work, part), part.size))
            if len(waiting) > pool.many + 1:
                one, size = waiting.popleft()
                yield result(one), size
        while waiting:
            one, size = waiting.popleft()
            yield result(one), size
    finally:
        for one, _ in waiting:
            if isinstance(one, Future):
                one.cancel()


class Here:
    """Threads for a compiled model, which lets go of the interpreter; processes for a native one."""

    def __init__(self, work: Work, processes: int | None) -> None:
        manifest: Manifest = verify(work.folder, work.digest)
        self.many = processes or len(os.sched_getaffinity(0))
        self._pool: Executor
        if manifest.form == "onnx" or self.many == 1:
            self._pool = ThreadPoolExecutor(self.many)
        else:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.many, mp_context=spawn, initializer=_end_with_parent)
        if isinstance(self._pool, ThreadPoolExecutor):
            _predictor(work.folder, work.digest, msgspec.json.encode(work.trust))

    def __enter__(self) -> Here:
        return self

    def ask(self, work: Work, part: Part) -> Future[Done]:
        return self._pool.submit(answer, work, part)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A process of the pool would wait for ever for work of a command that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@cache
def _predictor(folder: Path, digest: str, trust: bytes) -> Predictor:
    return open_package(folder, digest=digest, trust=msgspec.json.decode(trust, type=Trust))


def answer(work: Work, part: Part) -> Done:
    """One part; what came of it is kept in the work's folder."""
    predictor = _predictor(work.folder, work.digest, msgspec.json.encode(work.trust))
    rows = read(part, work.schema, work.wanted)
    frame = rows.frame.with_row_index(ROW)
    reasons: dict[int, list[str]] = {row: [reason] for row, reason in rows.unread.items()}
    good = frame.filter(~pl.col(ROW).is_in(list(reasons))) if reasons else frame
    features = good.select(work.features)
    schema = of_features(work.schema)
    checked = check(features, schema, limit=None)
    marks = checked.marks
    if checked.faults:
        places = good[ROW].to_list()
        for fault in checked.faults:
            if fault.row is not None:
                reasons.setdefault(places[fault.row - 1], []).append(_plain(fault.message, fault.row))
        if not reasons or any(fault.row is None for fault in checked.faults):
            raise AuthorError(f"{part.file.origin}: {checked.faults[0].message}")
        good = good.filter(~checked.bad)
        marks = check(good.select(work.features), schema).marks
    batch = gather(good, schema)
    answers, failed = _ask(predictor, batch)
    if failed:
        places = good[ROW].to_list()
        reasons |= {places[at]: [said] for at, said in failed.items()}
        good = good.filter(~pl.col(ROW).is_in(list(reasons)))
    kept = _kept(good, work, answers, predictor.manifest)
    put(kept, work.parts / f"{part.number:08}.parquet")
    if reasons:
        put(_refused(frame, work, reasons), work.parts / f"{part.number:08}.refused.parquet")
    done = Done(
        number=part.number, rows=frame.height, refused=len(reasons), origin=part.file.origin, marks=marks
    )
    put(msgspec.json.encode(done), work.parts / f"{part.number:08}.json")
    return done


def _plain(message: str, row: int) -> str:
    """Without the row, which counts by the part."""
    said = message.removeprefix(f"Row {row}: ")
    return said[:1].upper() + said[1:]


def _ask(predictor: Predictor, batch: Batch) -> tuple[list[Answers], dict[int, str]]:
    """The answers in order, and the rows on which the model fails."""
    if not len(batch):
        return [], {}
    try:
        return [predictor.predict(batch)], {}
    except AuthorError:
        answers: list[Answers] = []
        failed: dict[int, str] = {}
        _halves(predictor, batch, 0, answers, failed)
        return answers, failed


def _halves(
    predictor: Predictor, batch: Batch, at: int, answers: list[Answers], failed: dict[int, str]
) -> None:
    try:
        answers.append(predictor.predict(batch))
    except AuthorError as error:
        if len(batch) == 1:
            failed[at] = str(error)
            if len(failed) > _MOST_FAILED:
                raise
            return
        half = len(batch) // 2
        _halves(predictor, batch.take(slice(0, half)), at, answers, failed)
        _halves(predictor, batch.take(slice(half, len(batch))), at + half, answers, failed)


def _kept(good: pl.DataFrame, work: Work, answers: list[Answers], manifest: Manifest) -> pl.DataFrame:
    """The kept columns, ``prediction``, and a column a class or level."""
    made: dict[str, Any] = {"prediction": [v for a in answers for v in a.prediction.tolist()]}
    if manifest.task == "multilabel":
        made = dict(held.columns(made["prediction"], manifest.classes))
    beside = (
        [(f"probability_{label}", "probability") for label in manifest.classes]
        if all(a.probability is not None for a in answers)
        else []
    )
    beside += [(f"quantile_{level:g}", "quantiles") for level in manifest.quantiles]
    for at, (name, source) in enumerate(beside):
        made[name] = [float(v) for a in answers for v in getattr(a, source)[:, at]]
    columns = list(work.keep) or [ROW]
    clash = [name for name in columns if name in made]
    frame = good.select(pl.col(name).alias(f"input_{name}" if name in clash else name) for name in columns)
    return frame.with_columns(pl.Series(name, values, strict=True) for name, values in made.items())


def _refused(frame: pl.DataFrame, work: Work, reasons: dict[int, list[str]]) -> pl.DataFrame:
    """What people need to mend the rows: no value that is marked personal."""
    personal = {c.name for c in work.schema.columns if c.personal}
    found = frame.filter(pl.col(ROW).is_in(list(reasons))).drop(personal, strict=False)
    said = [reasons[row] for row in found[ROW].to_list()]
    return found.with_columns(pl.Series(REASONS, said, dtype=pl.List(pl.String)))


def put(content: pl.DataFrame | bytes, path: Path) -> None:
    """Whole, on the disk, and nobody else's to read."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            if isinstance(content, bytes):
                stream.write(content)
            else:
                content.write_parquet(stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"{path.parent} cannot be written: {error.strerror or error}.") from None


def quarantine(work: Work, done: list[Done], path: Path) -> None:
    """All refused rows as one file for its owner's eyes, each with its file, its row there and its reasons."""
    starts = beginnings(done)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    frames = [(part, work.parts / f"{part.number:08}.refused.parquet") for part in done if part.refused]
    schema = pl.concat(
        [pl.read_parquet(file, n_rows=0) for _, file in frames], how="diagonal_relaxed"
    ).with_columns(pl.lit("").alias(FILE), pl.col(ROW).cast(pl.Int64))
    target = schema.select(FILE, ROW, REASONS, pl.exclude(FILE, ROW, REASONS)).to_arrow().schema
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream, pq.ParquetWriter(stream, target) as writer:
            for part, file in frames:
                frame = pl.read_parquet(file).with_columns(
                    pl.lit(part.origin).alias(FILE), pl.col(ROW).cast(pl.Int64) + starts[part.number] + 1
                )
                writer.write_table(frame.select(target.names).to_arrow().cast(target))
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        draft.unlink(missing_ok=True)


def beginnings(done: list[Done]) -> dict[int, int]:
    """How many rows of its own file come before each part."""
    starts: dict[int, int] = {}
    rows: dict[str, int] = {}
    for part in done:
        starts[part.number] = rows.get(part.origin, 0)
        rows[part.origin] = starts[part.number] + part.rows
    return starts
