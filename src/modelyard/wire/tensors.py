"""Tensors of the Open Inference Protocol V2: JSON data and little-endian blobs.

A tensor is decoded to its flat values in row-major order; BYTES become ``str``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.wire.problem import Problem

SIZES = {
    "BOOL": 1,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "FP16": 2,
    "FP32": 4,
    "FP64": 8,
}
"""Bytes of one element; BYTES varies."""

_CODES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}


class Tensor(msgspec.Struct, kw_only=True):
    """A tensor of a request; ``data`` is nested or flat, or absent when it is a blob."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw()


def elements(tensor: Tensor) -> int:
    """How many elements the shape says."""
    if any(d < 0 for d in tensor.shape):
        raise Problem(400, f"Input '{tensor.name}' has the shape {tensor.shape}: no dimension is negative.")
    return math.prod(tensor.shape)


def from_json(tensor: Tensor) -> list[Any]:
    """The flat values of ``data``; ``Problem`` 400 when they do not fit shape or datatype."""
    if not bytes(tensor.data):
        raise Problem(400, f"Input '{tensor.name}' has neither data nor binary_data_size.")
    _known(tensor)
    try:
        values = _flat(tensor, msgspec.json.decode(tensor.data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = "they are nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(400, f"Input '{tensor.name}' has data that cannot be read: {said}.") from None
    _fit(tensor, len(values))
    kind = tensor.datatype
    for value in values:
        if value is not None and not _is(kind, value):
            raise Problem(
                400, f"Input '{tensor.name}' is {kind}, but holds {str(value)[:40]!r}.", field=tensor.name
            )
    return values


def _flat(tensor: Tensor, data: object) -> list[Any]:
    if not isinstance(data, list):
        raise Problem(400, f"Input '{tensor.name}' has data that are no array.")
    for _ in range(len(tensor.shape)):
        if not data or not isinstance(data[0], list):
            return data
        if not all(isinstance(d, list) for d in data):
            break
        data = [value for row in data for value in row]
    if any(isinstance(d, list) for d in data):
        raise Problem(400, f"Input '{tensor.name}' has data nested otherwise than its shape {tensor.shape}.")
    return data


def _is(datatype: str, value: object) -> bool:
    if datatype == "BOOL":
        return isinstance(value, bool) or (type(value) is int and value in (0, 1))
    if datatype == "BYTES":
        return isinstance(value, str)
    if type(value) is float and not datatype.startswith("FP"):
        if not value.is_integer():
            return False
        value = int(value)  # clients that know numbers only write 50 as 50.0
    if type(value) is int:
        if datatype.startswith("INT"):
            bits = 8 * SIZES[datatype] - 1
            return -(1 << bits) <= value < 1 << bits
        return not datatype.startswith("UINT") or 0 <= value < 1 << 8 * SIZES[datatype]
    return type(value) is float and datatype.startswith("FP")


def from_blob(tensor: Tensor, blob: bytes) -> list[Any] | NDArray[Any]:
    """The flat values of a blob, an array of numbers or a list of texts; ``Problem`` 400 when its length does not fit the shape."""
    _known(tensor)
    if tensor.datatype == "BYTES":
        return _strings(tensor, blob)
    count, rest = divmod(len(blob), SIZES[tensor.datatype])
    _fit(tensor, count if rest == 0 else -1)
    if tensor.datatype == "BOOL":
        return np.frombuffer(blob, "?")
    return np.frombuffer(blob, _dtype(tensor.datatype))


def _dtype(datatype: str) -> str:
    letter = "u" if datatype.startswith("UINT") else "i"
    return _CODES.get(datatype) or f"<{letter}{SIZES[datatype]}"


def _strings(tensor: Tensor, blob: bytes) -> list[Any]:
    values: list[Any] = []
    at = 0
    try:
        while at < len(blob):
            (size,) = struct.unpack_from("<I", blob, at)
            at += 4 + size
            if at > len(blob):
                raise struct.error
            values.append(blob[at - size : at].decode())
    except struct.error:
        raise Problem(400, f"Input '{tensor.name}' ends within an element.") from None
    except UnicodeDecodeError:
        raise Problem(
            400, f"Input '{tensor.name}' holds bytes that are no UTF-8.", field=tensor.name
        ) from None
    _fit(tensor, len(values))
    return values


def _known(tensor: Tensor) -> None:
    if tensor.datatype not in SIZES and tensor.datatype != "BYTES":
        raise Problem(
            400, f"Input '{tensor.name}' has the datatype {tensor.datatype[:20]!r}, which V2 does not know."
        )


def _fit(tensor: Tensor, count: int) -> None:
    wanted = elements(tensor)
    if count != wanted:
        seen = "a broken element" if count < 0 else f"{count} elements"
        raise Problem(
            400, f"Input '{tensor.name}' has the shape {tensor.shape} ({wanted} elements) but holds {seen}."
        )


def blob(values: Sequence[Any] | NDArray[Any], datatype: str) -> bytes:
    """Flat values as a blob."""
    if datatype == "BYTES":
        parts = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(p)) + p for p in parts)
    return np.asarray(values).astype(_dtype(datatype)).tobytes()
