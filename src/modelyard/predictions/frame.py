"""The bytes of a segment: frames of length, CRC-32 and payload, one after another, zeros behind them.

A payload's first byte says what it is. ``HEAD`` (msgpack) is a segment's first frame, ``MODEL``
(msgpack) announces a model before its first rows in that segment, so that each segment can be read
alone. ``ROWS`` is a batch: fixed fields, then msgpack of what varies in length (``Meta``), then the
features' numbers [n, k], the probabilities (of a regression the quantiles) [n, c] and, of a regression, the predictions [n], all
little-endian float64 and row-major: what the model was asked with is logged by copying memory.
Texts and labels go as they are; their dictionaries are the table's to make when it is compacted.
``OUTCOMES`` (msgpack) is what was told of answers given before, by this writer or any other; ``MINUTES`` (msgpack) what
its worker counted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.ports import Answered, Rows
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Label, Layout, Task
from modelyard.records.schema import Schema

FORMAT = 1
HEAD, MODEL, ROWS, OUTCOMES, MINUTES = b"H", b"M", b"R", b"O", b"C"

ENVELOPE = struct.Struct("<II")
"""Length and CRC-32 of the payload."""
_FIXED = struct.Struct("<cHIHHQddI?")
"""Kind, key, n, k, c, first sequence number, at, latency, length of the msgpack, regression."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Whose segment this is; ``sequence`` numbers the writer's next row."""

    format: int
    slot: int
    writer: str
    number: int
    sequence: int


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A model as its frames need it; ``key`` is what they call it."""

    key: int
    model: str
    version: int
    model_id: str
    package: str
    task: Task
    classes: tuple[Label, ...]
    schema: Schema
    layout: Layout
    quantiles: tuple[float, ...] = ()


class Meta(msgspec.Struct, frozen=True, array_like=True):
    """What varies in length in a batch; None for counts of one and for no client ids."""

    ids: Sequence[bytes]
    counts: Sequence[int] | None
    client_ids: Sequence[str | None] | None
    texts: Sequence[Any]
    labels: Sequence[Label | list[Label]] | None
    """Of several labels lists of those that hold."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """Outcomes of one model's answers; ``number`` counts the writer's outcomes before them."""

    model: str
    at: float
    number: int
    outcomes: tuple[Outcome, ...]


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """What a worker counted up to ``at``."""

    at: float
    minutes: tuple[Minute, ...]


class Batched(msgspec.Struct, frozen=True):
    """A ``ROWS`` payload read back."""

    key: int
    sequence: int
    at: float
    latency: float
    meta: Meta
    numbers: Any
    probability: Any
    values: Any
    quantiles: Any


_encode = msgspec.msgpack.Encoder().encode
_decode_meta = msgspec.msgpack.Decoder(Meta).decode


def sealed(payload: bytes) -> bytes:
    """The payload in its envelope."""
    return ENVELOPE.pack(len(payload), zlib.crc32(payload)) + payload


def head(record: Head) -> bytes:
    return sealed(HEAD + _encode(record))


def model(record: Logged) -> bytes:
    return sealed(MODEL + _encode(record))


def rows(
    key: int, batch: Rows, answers: Answered, *, meta: Meta, sequence: int, at: float, latency: float
) -> bytes:
    """A batch of at least one row; ``meta.labels`` None means a regression."""
    variable = _encode(meta)
    n, k = batch.numbers.shape
    beside = answers.probability if answers.quantiles is None else answers.quantiles
    c = 0 if beside is None else beside.shape[1]
    regression = meta.labels is None
    payload = [
        _FIXED.pack(ROWS, key, n, k, c, sequence, at, latency, len(variable), regression),
        variable,
        np.asarray(batch.numbers, np.float64).tobytes(),
    ]
    if beside is not None:
        payload.append(np.asarray(beside, np.float64).tobytes())
    if regression:
        payload.append(np.asarray(answers.prediction, np.float64).tobytes())
    return sealed(b"".join(payload))


def outcomes(record: Told) -> bytes:
    return sealed(OUTCOMES + _encode(record))


def read_outcomes(payload: bytes) -> Told:
    return msgspec.msgpack.decode(payload[1:], type=Told)


def minutes(record: Counted) -> bytes:
    return sealed(MINUTES + _encode(record))


def read_minutes(payload: bytes) -> Counted:
    return msgspec.msgpack.decode(payload[1:], type=Counted)


def read_head(payload: bytes) -> Head:
    return msgspec.msgpack.decode(payload[1:], type=Head)


def read_model(payload: bytes) -> Logged:
    return msgspec.msgpack.decode(payload[1:], type=Logged)


def read_rows(payload: bytes) -> Batched:
    _, key, n, k, c, sequence, at, latency, length, regression = _FIXED.unpack_from(payload)
    start = _FIXED.size
    meta = _decode_meta(memoryview(payload)[start : start + length])
    blocks = np.frombuffer(payload[start + length :], "<f8")
    beside: NDArray[np.float64] | None = blocks[n * k : n * (k + c)].reshape(n, c) if c else None
    return Batched(
        key,
        sequence,
        at,
        latency,
        meta,
        blocks[: n * k].reshape(n, k),
        None if regression else beside,
        blocks[n * (k + c) :] if regression else None,
        beside if regression else None,
    )


def valid(content: bytes | memoryview, offset: int) -> int:
    """Where the frame at ``offset`` ends, or 0 when there is no whole and intact one."""
    if offset + ENVELOPE.size > len(content):
        return 0
    length, crc = ENVELOPE.unpack_from(content, offset)
    start = offset + ENVELOPE.size
    if length == 0 or start + length > len(content):
        return 0
    return start + length if zlib.crc32(content[start : start + length]) == crc else 0
