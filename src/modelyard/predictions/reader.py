"""The yard's end of the log: frames as they were written, from sealed and from growing segments."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.predictions import frame
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Label


@dataclass(frozen=True, order=True)
class Segment:
    """A file of the log; ordered by writer (oldest first) and number."""

    writer: str
    number: int
    slot: int
    path: Path

    def is_complete(self) -> bool:
        """Whether its writer has let go of it, sealed or dead; False when the file is gone."""
        try:
            file = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True


@dataclass(frozen=True, eq=False)
class LoggedFrame:
    """One batch of one model.

    ``numbers`` [n, k] float64 and ``texts`` [n, s] objects stand as ``model.layout`` says.
    ``prediction`` [n] has labels (of several lists of those that hold), or float64 of a regression; ``probability`` is [n, c] float64 or
    None; ``quantiles`` [n, levels] of a regression that answers them. Request i has ``ids[i]`` and the next ``counts[i]`` rows. ``at`` is seconds since 1970.
    ``sequence`` numbers the writer's rows from 0; ``gap`` counts the rows missing before this frame.
    """

    segment: Segment
    model: frame.Logged
    sequence: int
    at: float
    latency: float
    ids: Sequence[bytes]
    counts: Sequence[int]
    client_ids: Sequence[str | None]
    numbers: NDArray[np.float64]
    texts: NDArray[np.object_]
    prediction: Sequence[Label | list[Label]] | NDArray[np.float64]
    probability: NDArray[np.float64] | None
    gap: int = 0
    quantiles: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class LoggedOutcomes:
    """What was told at ``at`` (seconds since 1970) of answers of one model; ``number`` counts the writer's
    outcomes before them."""

    segment: Segment
    model: str
    at: float
    number: int
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class LoggedMinutes:
    """What a worker counted up to ``at`` (seconds since 1970) of one model."""

    segment: Segment
    model: str
    at: float
    minutes: tuple[Minute, ...]


@dataclass(frozen=True, eq=False)
class Content:
    """A segment's intact frames; ``intact`` says that nothing else is in it, torn or damaged."""

    frames: tuple[LoggedFrame, ...]
    intact: bool
    outcomes: tuple[LoggedOutcomes, ...] = ()
    minutes: tuple[LoggedMinutes, ...] = ()


def segments(folder: Path) -> list[Segment]:
    """All segments there; [] when there is no folder."""
    found = []
    for path in folder.glob("*.seg"):
        parts = path.stem.split("-")
        if len(parts) == 3 and parts[0].isdigit() and parts[2].isdigit():
            found.append(Segment(parts[1], int(parts[2]), int(parts[0]), path))
    return sorted(found)


def read(folder: Path) -> Iterator[LoggedFrame]:
    """All intact frames, by writer and in the order written; a torn tail is passed over.

    A segment that vanishes meanwhile was collected. ``gap`` spans neighbouring segments too.
    """
    last: tuple[str, int, int] | None = None
    for segment in segments(folder):
        follows = last is not None and last[:2] == (segment.writer, segment.number - 1)
        end = last[2] if follows and last is not None else None
        for found in load(segment, expected=end).frames:
            yield found
            end = found.sequence + len(found)
        last = None if end is None else (segment.writer, segment.number, end)


def read_outcomes(folder: Path) -> Iterator[LoggedOutcomes]:
    """All intact frames of outcomes, by writer and in the order written."""
    for segment in segments(folder):
        yield from load(segment).outcomes


def read_minutes(folder: Path) -> Iterator[LoggedMinutes]:
    """All intact frames of minutes, by writer and in the order written."""
    for segment in segments(folder):
        yield from load(segment).minutes


def load(segment: Segment, *, expected: int | None = None) -> Content:
    """What one segment holds; ``expected`` is where its rows should go on, if known.

    Behind a damaged frame it goes on where the next intact one begins. A segment that is gone is empty.
    """
    try:
        content = segment.path.read_bytes()
    except FileNotFoundError:
        return Content((), intact=True)
    payloads, intact = _payloads(content)
    models: dict[int, frame.Logged] = {}
    found = []
    told = []
    counted: list[LoggedMinutes] = []
    for payload in payloads:
        try:
            if payload[:1] == frame.HEAD:
                head = frame.read_head(payload)
                expected = head.sequence if expected is None else expected
            elif payload[:1] == frame.MODEL:
                model = frame.read_model(payload)
                models[model.key] = model
            elif payload[:1] == frame.OUTCOMES:
                heard = frame.read_outcomes(payload)
                told.append(LoggedOutcomes(segment, heard.model, heard.at, heard.number, heard.outcomes))
            elif payload[:1] == frame.MINUTES:
                counted += _minutes(segment, frame.read_minutes(payload))
            else:
                batched = frame.read_rows(payload)
                gap = 0 if expected is None else batched.sequence - expected
                found.append(_frame(segment, models[batched.key], batched, gap))
                expected = batched.sequence + len(batched.numbers)
                intact = intact and gap == 0
        except (msgspec.MsgspecError, struct.error, KeyError, ValueError):
            intact = False  # of another format, or of a model whose announcement is damaged
    return Content(tuple(found), intact, tuple(told), tuple(counted))


def _minutes(segment: Segment, counted: frame.Counted) -> Iterator[LoggedMinutes]:
    """Apart by model, as tables are."""
    for model in dict.fromkeys(minute.model for minute in counted.minutes):
        own = tuple(minute for minute in counted.minutes if minute.model == model)
        yield LoggedMinutes(segment, model, counted.at, own)


def _payloads(content: bytes) -> tuple[list[bytes], bool]:
    """The whole payloads, and whether there is nothing but them and zeros."""
    found = []
    offset, size, intact = 0, frame.ENVELOPE.size, True
    while offset + size <= len(content):
        end = frame.valid(content, offset)
        if end:
            found.append(content[offset + size : end])
            offset = end
            continue
        length, _ = frame.ENVELOPE.unpack_from(content, offset)
        follows = offset + size + length
        if length == 0 or not frame.valid(content, follows):
            break
        intact, offset = False, follows
    return found, intact and not content[offset:].strip(b"\0")


def _frame(segment: Segment, model: frame.Logged, batched: frame.Batched, gap: int) -> LoggedFrame:
    n, meta = len(batched.numbers), batched.meta
    texts: Any = np.empty((n, len(model.layout.texts)), dtype=object)
    texts.reshape(-1)[:] = meta.texts
    return LoggedFrame(
        segment=segment,
        model=model,
        sequence=batched.sequence,
        at=batched.at,
        latency=batched.latency,
        ids=meta.ids,
        counts=[1] * n if meta.counts is None else meta.counts,
        client_ids=[None] * len(meta.ids) if meta.client_ids is None else meta.client_ids,
        numbers=batched.numbers,
        texts=texts,
        prediction=batched.values if meta.labels is None else meta.labels,
        probability=batched.probability,
        gap=gap,
        quantiles=batched.quantiles,
    )
