"""A worker's end of the log: one write a loop turn into a preallocated segment.

The writer holds an exclusive ``flock`` on its open segment. The kernel lets go of it when the process
ends, however it ends, so a segment that nobody has locked is complete and may be collected.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from modelyard.errors import StoreDown
from modelyard.ports import Answered, Rows
from modelyard.predictions import frame
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Manifest
from modelyard.records.service import ServedModel

SUFFIX = ".seg"
SIZE = 16 * 2**20
"""Bytes set aside for a segment."""
AGE = 60.0
"""Seconds after its first rows at which a segment is sealed."""

Redact = Callable[[Rows], Rows]
"""What a batch looks like in the log."""


def open_writer(folder: Path, slot: int, *, redact: Redact | None = None) -> Writer:
    """A writer of its own segments in ``folder``, which is made; slots may be shared by generations.

    Raises ``StoreDown`` when nothing can be written there.
    """
    return Writer(folder, slot, redact=redact)


class Writer:
    """A ``PredictionSink`` on a local disk. Each segment stands in ``SLOT-WRITER-NUMBER.seg``."""

    def __init__(
        self, folder: Path, slot: int, *, redact: Redact | None = None, size: int = SIZE, age: float = AGE
    ) -> None:
        self.slot = slot
        self.writer = f"{time.time_ns():016x}{os.urandom(4).hex()}"
        self._folder, self._redact, self._size, self._age = folder, redact, size, age
        self._models: dict[int, tuple[bytes, bool]] = {}
        self._pending: list[tuple[int | None, bytes]] = []
        self._sequence = self._flushed = 0
        self._told = 0
        self._number = 0
        self._segment: _Segment | None = None
        try:
            self._segment = self._open(0)
        except OSError as error:
            raise self._down(error) from None

    def begin(self, model: ServedModel, manifest: Manifest) -> int:
        key = len(self._models)
        announced = frame.model(logged(key, model, manifest))
        self._models[key] = (announced, manifest.task == "regression")
        return key

    def write(
        self,
        key: int,
        batch: Rows,
        answers: Answered,
        *,
        ids: Sequence[bytes],
        at: float,
        latency: float,
        counts: Sequence[int] | None = None,
        client_ids: Sequence[str | None] | None = None,
    ) -> None:
        n = len(batch.numbers)
        if (len(ids) if counts is None else sum(counts)) != n:
            raise ValueError(f"{n} rows were answered, but the requests have another count")
        if n == 0:
            return
        if self._redact is not None:
            batch = self._redact(batch)
        meta = frame.Meta(
            ids,
            counts,
            client_ids,
            batch.texts.ravel().tolist(),
            None if self._models[key][1] else answers.prediction.tolist(),
        )
        content = frame.rows(key, batch, answers, meta=meta, sequence=self._sequence, at=at, latency=latency)
        self._sequence += n
        self._pending.append((key, content))

    def outcomes(self, model: str, outcomes: Sequence[Outcome], *, at: float) -> None:
        if outcomes:
            told = frame.Told(model, at, self._told, tuple(outcomes))
            self._told += len(outcomes)
            self._pending.append((None, frame.outcomes(told)))

    def minutes(self, minutes: Sequence[Minute], *, at: float) -> None:
        if minutes:
            self._pending.append((None, frame.minutes(frame.Counted(at, tuple(minutes)))))

    def flush(self, *, fsync: bool = False) -> None:
        pending, self._pending = self._pending, []
        try:
            self._seal_when_due()
            if pending:
                self._append(pending)
            if fsync and self._segment is not None:
                self._segment.sync()
        except OSError as error:
            self._sequence = self._flushed
            self._abandon()
            raise self._down(error) from None
        self._flushed = self._sequence

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._abandon()

    def _append(self, pending: list[tuple[int | None, bytes]]) -> None:
        if self._segment is not None and self._segment.gone:
            self._abandon()
        segment = self._segment
        content = self._announced(segment, pending)
        if segment is None or segment.end + len(content) > segment.size:
            self._abandon()
            content = self._announced(None, pending)
            segment = self._segment = self._open(len(content))
        segment.append(content)
        segment.models.update(key for key, _ in pending)
        segment.since = segment.since or time.monotonic()

    def _announced(self, segment: _Segment | None, pending: list[tuple[int | None, bytes]]) -> bytes:
        """The frames, each model's announcement before its first in that segment."""
        known = set() if segment is None else set(segment.models)
        parts = []
        for key, content in pending:
            if key is not None and key not in known:
                known.add(key)
                parts.append(self._models[key][0])
            parts.append(content)
        return b"".join(parts)

    def _open(self, least: int) -> _Segment:
        self._number += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.slot:03d}-{self.writer}-{self._number:08d}{SUFFIX}"
        head = frame.head(frame.Head(frame.FORMAT, self.slot, self.writer, self._number, self._flushed))
        return _Segment(self._folder / name, head, max(self._size, len(head) + least))

    def _seal_when_due(self) -> None:
        segment = self._segment
        if segment is not None and segment.since and time.monotonic() - segment.since > self._age:
            self._abandon()

    def _abandon(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()

    def _down(self, error: OSError) -> StoreDown:
        return StoreDown(
            f"The prediction log in {self._folder} takes no writes ({os.strerror(error.errno or 0)}); "
            "make room or give the service access to it."
        )


class _Segment:
    """An open segment; a name that ends in ``.seg`` appears only when it is locked and has its head."""

    def __init__(self, path: Path, head: bytes, size: int) -> None:
        self.path, self.size = path, size
        self.end = 0
        self.models: set[int | None] = set()
        """Keys of the models that have rows in it; None when it has outcomes or minutes."""
        self.since = 0.0
        self._named = False
        fresh = path.with_suffix(".new")
        self.file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                os.posix_fallocate(self.file, 0, size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
            self.append(head)
            fresh.rename(path)
        except OSError:
            os.close(self.file)
            fresh.unlink(missing_ok=True)
            raise

    @property
    def gone(self) -> bool:
        """Whether somebody deleted it: what is written to it would be read by nobody."""
        return os.fstat(self.file).st_nlink == 0

    def append(self, content: bytes) -> None:
        done = 0
        while done < len(content):
            done += os.pwrite(self.file, content[done:] if done else content, self.end + done)
        self.end += len(content)

    def sync(self) -> None:
        """Wait for the disk to have the content, and the name."""
        os.fsync(self.file)
        if not self._named:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._named = True

    def close(self) -> None:
        """Give back what was set aside, then the lock; without anything in it leave nothing."""
        with contextlib.suppress(OSError):  # a failing disk keeps its zeros, which readers pass over
            os.ftruncate(self.file, self.end)
            if not self.models:
                self.path.unlink(missing_ok=True)
        os.close(self.file)


def logged(key: int, model: ServedModel, manifest: Manifest) -> frame.Logged:
    """What the log says of a model."""
    return frame.Logged(
        key=key,
        model=model.model,
        version=model.version,
        model_id=model.model_id,
        package=model.package,
        task=manifest.task,
        classes=manifest.classes,
        schema=manifest.schema,
        layout=manifest.layout,
        quantiles=manifest.quantiles,
    )
