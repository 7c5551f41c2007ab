"""Protocol Buffers by hand, as far as the Open Inference Protocol's few messages need them.

A message is read as its fields in order; unknown ones are passed over by whoever reads. Bounds are checked
at every step, so that no bytes make this read beyond them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from modelyard.wire.problem import Problem

Value = int | bytes
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def fields(content: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field: an integer, or bytes (of fixed fields, their 4 or 8). ``Problem`` 400."""
    at, end = 0, len(content)
    while at < end:
        key, at = _varint(content, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, at = _varint(content, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise _broken()
        if size > end - at:
            raise _broken()
        yield key >> 3, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise _broken()
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7


def text(value: Value) -> str:
    """A string field."""
    if not isinstance(value, bytes):
        raise _broken()
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Problem(400, "The message holds a text that is no UTF-8.") from None


def message(value: Value) -> bytes:
    """A field that is a message, or bytes."""
    if not isinstance(value, bytes):
        raise _broken()
    return value


def signed(value: int) -> int:
    """An integer as int32 and int64 have it."""
    return value - (1 << 64) if value >> 63 else value


def integers(value: Value) -> list[int]:
    """One element of a repeated integer field, or many that are packed."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        found.append(one)
    return found


def numbers(value: Value, kind: str) -> NDArray[np.float64]:
    """Elements of a repeated float (``<f4``) or double (``<f8``) field."""
    if not isinstance(value, bytes) or len(value) % np.dtype(kind).itemsize:
        raise _broken()
    return np.frombuffer(value, kind).astype(np.float64)


def double(value: Value) -> float:
    if not isinstance(value, bytes) or len(value) != 8:
        raise _broken()
    (number,) = struct.unpack("<d", value)
    return float(number)


def _broken() -> Problem:
    return Problem(400, "The message is no well-formed protocol buffer.")


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: Value | str | bool) -> bytes:
    """A field to be sent; texts and messages with their length, integers as they are."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | _LENGTH) + varint(len(value)) + value
    return varint(number << 3 | _VARINT) + varint(int(value))


def repeated(number: int, values: Iterable[bytes | str]) -> bytes:
    return b"".join(field(number, value) for value in values)


def packed(number: int, values: Iterable[int]) -> bytes:
    return field(number, b"".join(map(varint, values)))
