"""Open Inference Protocol V2 over gRPC: the messages of package ``inference``, read to what REST reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modelyard.records.schema import Schema
from modelyard.wire import inference, tensors
from modelyard.wire.inference import InferRequest, Wanted
from modelyard.wire.problem import Problem
from modelyard.wire.protobuf import (
    Value,
    field,
    fields,
    integers,
    message,
    numbers,
    packed,
    repeated,
    signed,
    text,
)
from modelyard.wire.reading import Framed, Given, Reading
from modelyard.wire.tensors import Tensor


class Named(msgspec.Struct, frozen=True):
    """A model that a message names; ``version`` is empty where it names none."""

    name: str
    version: str


class Called(Reading, frozen=True, kw_only=True):
    """A ``ModelInferRequest``; replies with all outputs raw."""

    outputs: tuple[str, ...]

    def write(self, given: Given) -> Framed:
        told = given.told
        found = inference.values_of(given)
        names = [name for name in self.outputs if name in found]
        listed = [_tensor(name, found[name][0], found[name][1]) for name in names]
        raw = [tensors.blob(found[name][2], found[name][0]) for name in names]
        parameter = field(1, "request_id") + field(2, field(3, given.request_id))
        return Framed(
            field(1, told.model)
            + field(2, told.version)
            + field(3, self.id or given.request_id)
            + field(4, parameter)
            + repeated(5, listed)
            + repeated(6, raw),
            b"application/grpc",
        )


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> bytes:
    return field(1, name) + field(2, datatype) + packed(3, shape)


def read_named(content: bytes) -> Named:
    """A ``ModelReadyRequest`` or ``ModelMetadataRequest``; of a ``ModelInferRequest`` the same two fields."""
    found = {1: "", 2: ""}
    for number, value in fields(content):
        if number in found:
            found[number] = text(value)
    return Named(found[1], found[2])


def read_call(content: bytes, schema: Schema, *, outputs: Sequence[str]) -> Called:
    """A ``ModelInferRequest`` as columns; ``Problem`` 400 where it does not fit the protocol."""
    given: list[tuple[Tensor, list[Any] | None]] = []
    wanted: list[Wanted] = []
    raw: list[bytes] = []
    request_id: str | None = None
    for number, value in fields(content):
        if number == 3:
            request_id = text(value) or None
        elif number == 5:
            given.append(_input(message(value)))
        elif number == 6:
            wanted.append(Wanted(name=_first(message(value))))
        elif number == 7:
            raw.append(message(value))
    inputs = [tensor for tensor, _ in given]
    if raw:
        if len(raw) != len(inputs) or any(contents is not None for _, contents in given):
            raise Problem(
                400, "raw_input_contents must hold one blob an input, and then no input has contents."
            )
        inputs = [
            msgspec.structs.replace(t, parameters={"binary_data_size": len(blob)})
            for t, blob in zip(inputs, raw, strict=True)
        ]
    else:
        inputs = [
            msgspec.structs.replace(t, data=msgspec.Raw(msgspec.json.encode(contents or [])))
            for t, contents in given
        ]
    request = InferRequest(inputs=inputs, id=request_id, outputs=wanted or None)
    asked = inference.asked(request, outputs, raw=True)
    columns = inference.columns_of(request, b"".join(raw), schema)
    return Called(columns=columns, id=request_id, outputs=tuple(name for name, _ in asked))


def _first(content: bytes) -> str:
    return next((text(value) for number, value in fields(content) if number == 1), "")


def _input(content: bytes) -> tuple[Tensor, list[Any] | None]:
    name = datatype = ""
    shape: list[int] = []
    contents: list[Any] | None = None
    for number, value in fields(content):
        if number == 1:
            name = text(value)
        elif number == 2:
            datatype = text(value)
        elif number == 3:
            shape += map(signed, integers(value))
        elif number == 5:
            contents = _contents(message(value))
    return Tensor(name=name, shape=shape, datatype=datatype), contents


_READ: dict[int, Callable[[Value], list[Any]]] = {
    1: lambda value: [bool(v) for v in integers(value)],
    2: lambda value: [signed(v) for v in integers(value)],
    3: lambda value: [signed(v) for v in integers(value)],
    4: integers,
    5: integers,
    6: lambda value: numbers(value, "<f4").tolist(),
    7: lambda value: numbers(value, "<f8").tolist(),
    8: lambda value: [text(value)],
}


def _contents(content: bytes) -> list[Any]:
    """The elements of ``InferTensorContents``."""
    found: list[Any] = []
    for number, value in fields(content):
        if number in _READ:
            found += _READ[number](value)
    return found


def yes(value: bool) -> bytes:
    """``ServerLiveResponse``, ``ServerReadyResponse``, ``ModelReadyResponse``."""
    return field(1, value)


def server_metadata(name: str, version: str) -> bytes:
    return field(1, name) + field(2, version)


def model_metadata(told: dict[str, Any]) -> bytes:
    """``ModelMetadataResponse`` of what ``inference.metadata`` tells."""

    def tensor(one: dict[str, Any]) -> bytes:
        return _tensor(one["name"], one["datatype"], one["shape"])

    return (
        field(1, told["name"])
        + repeated(2, told["versions"])
        + field(3, told["platform"])
        + repeated(4, map(tensor, told["inputs"]))
        + repeated(5, map(tensor, told["outputs"]))
    )


__all__ = [
    "Called",
    "Named",
    "model_metadata",
    "read_call",
    "read_named",
    "server_metadata",
    "yes",
]
