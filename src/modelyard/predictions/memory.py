"""A sink that keeps what it is given: for a simulated deployment, whose rows are nobody's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard.ports import Answered, Rows
from modelyard.predictions import frame
from modelyard.predictions.writer import logged
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Manifest
from modelyard.records.service import ServedModel


@dataclass(frozen=True)
class Remembered:
    """One batch as it was written."""

    model: frame.Logged
    batch: Rows
    answers: Answered
    ids: Sequence[bytes]
    counts: Sequence[int]
    client_ids: Sequence[str | None]
    at: float
    latency: float


@dataclass
class MemorySink:
    """A ``PredictionSink`` whose ``frames`` hold what was flushed, oldest first."""

    frames: list[Remembered] = field(default_factory=list)
    told: list[frame.Told] = field(default_factory=list)
    counted: list[frame.Counted] = field(default_factory=list)
    _models: list[frame.Logged] = field(default_factory=list)
    _pending: list[Remembered] = field(default_factory=list)
    _heard: list[frame.Told] = field(default_factory=list)
    _counts: list[frame.Counted] = field(default_factory=list)

    def begin(self, model: ServedModel, manifest: Manifest) -> int:
        self._models.append(logged(len(self._models), model, manifest))
        return len(self._models) - 1

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
        kept: Any = [1] * len(ids) if counts is None else counts
        named: Any = [None] * len(ids) if client_ids is None else client_ids
        model = self._models[key]
        self._pending.append(Remembered(model, batch, answers, ids, kept, named, at, latency))

    def outcomes(self, model: str, outcomes: Sequence[Outcome], *, at: float) -> None:
        if outcomes:
            before = sum(len(told.outcomes) for told in (*self.told, *self._heard))
            self._heard.append(frame.Told(model, at, before, tuple(outcomes)))

    def minutes(self, minutes: Sequence[Minute], *, at: float) -> None:
        if minutes:
            self._counts.append(frame.Counted(at, tuple(minutes)))

    def flush(self, *, fsync: bool = False) -> None:
        del fsync  # memory has nothing slower to wait for
        self.frames += self._pending
        self.told += self._heard
        self.counted += self._counts
        self._pending.clear()
        self._heard.clear()
        self._counts.clear()

    def close(self) -> None:
        self.flush()
