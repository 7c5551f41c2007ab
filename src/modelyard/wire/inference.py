"""Open Inference Protocol V2 over REST: metadata, requests to rows, answers to outputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.records.package import Label, Task
from modelyard.records.schema import Schema
from modelyard.wire import tensors
from modelyard.wire.problem import Problem
from modelyard.wire.reading import JSON, Framed, Given
from modelyard.wire.reading import Reading as _Reading
from modelyard.wire.tensors import Tensor

DATATYPES = {"integer": "INT64", "float": "FP64", "boolean": "BOOL"}
_NUMERIC = frozenset({"integer", "float", "boolean"})


class Wanted(msgspec.Struct, kw_only=True):
    """An output that the request names."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, kw_only=True):
    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] | None = None


class Reading(_Reading, frozen=True, kw_only=True):
    """What a V2 request asks, and how the answer is to be framed."""

    outputs: tuple[tuple[str, bool], ...] | None = None
    """Name and whether binary, in the order asked; None for all of the model's in JSON."""

    def write(self, given: Given) -> Framed:
        if self.outputs is None and given.told.task != "multilabel":
            return Framed(_usually(self, given))
        return _answer(self, given)


class _Whole(msgspec.Struct, forbid_unknown_fields=True):
    name: Literal["input"]
    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    data: list[float]


class _Usual(msgspec.Struct, forbid_unknown_fields=True):
    """The request that asks for nothing out of the ordinary: one tensor of all features, all outputs in JSON."""

    inputs: tuple[_Whole]
    id: str | None = None


_JSON = msgspec.json.Encoder()
_REQUEST = msgspec.json.Decoder(InferRequest)
_USUAL = msgspec.json.Decoder(_Usual)


def outputs_of(task: Task, classes: Sequence[Label], quantiles: Sequence[float] = ()) -> list[dict[str, Any]]:
    """The outputs' metadata, in order: ``prediction`` [n] (of several labels [n, c]), and for a classifier
    ``probability`` [n, c], of a regression of quantiles ``quantiles`` [n, k]."""
    shape = [-1, len(classes)] if task == "multilabel" else [-1]
    listed: list[dict[str, Any]] = [
        {"name": "prediction", "datatype": label_datatype(task, classes), "shape": shape}
    ]
    if task == "multilabel":  # whose columns they are
        listed[0]["parameters"] = {"labels": ",".join(map(str, classes))}
    if quantiles:
        listed.append({"name": "quantiles", "datatype": "FP64", "shape": [-1, len(quantiles)]})
    if task != "regression":
        listed.append({"name": "probability", "datatype": "FP64", "shape": [-1, len(classes)]})
    return listed


def label_datatype(task: Task, classes: Sequence[Label]) -> str:
    """The datatype of ``prediction``: FP64, BOOL, INT64 or BYTES."""
    if task == "regression":
        return "FP64"
    if task == "multilabel" or all(isinstance(c, bool) for c in classes):
        return "BOOL"
    return "INT64" if all(isinstance(c, int) for c in classes) else "BYTES"


def metadata(
    name: str,
    version: str,
    schema: Schema,
    *,
    task: Task,
    classes: Sequence[Label],
    quantiles: Sequence[float] = (),
) -> dict[str, Any]:
    """A model's metadata: one input a feature, in the schema's order."""
    inputs = [
        {"name": c.name, "datatype": DATATYPES.get(c.kind, "BYTES"), "shape": [-1]} for c in schema.features
    ]
    return {
        "name": name,
        "versions": [version],
        "platform": "modelyard",
        "inputs": inputs,
        "outputs": outputs_of(task, classes, quantiles),
    }


def width(schema: Schema) -> int:
    """How many numbers a row of the tensor ``input`` has; 0 where it needs a look at each feature."""
    features = schema.features
    plain = all(c.kind in ("integer", "float") and c.name != "input" for c in features)
    return len(features) if plain else 0


def read_request(
    content: bytes, json_length: str | None, schema: Schema, *, outputs: Sequence[str], width: int = 0
) -> Reading:
    """Decode an infer request; ``json_length`` is ``Inference-Header-Content-Length`` where it was sent.

    ``outputs`` are the model's, ``width`` is its schema's. The columns are equally long; whether they fit the schema is the
    decoder's to say. ``Problem`` 400 says what does not fit the protocol.
    """
    if width and json_length is None and (usual := _usual(content, width)) is not None:
        return Reading(flat=usual.inputs[0].data, id=usual.id)
    request, blobs = _split(content, json_length, schema)
    named = asked(request, outputs, raw=json_length == "0")
    wanted = named if request.outputs or any(binary for _, binary in named) else None
    if width and (flat := _flat(request, blobs, width)) is not None:
        return Reading(flat=flat, id=request.id, outputs=wanted)
    return Reading(columns=columns_of(request, blobs, schema), id=request.id, outputs=wanted)


def _usual(content: bytes, width: int) -> _Usual | None:
    """None for what ``_split`` reads or refuses."""
    try:
        usual = _USUAL.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    n, k = usual.inputs[0].shape
    return usual if k == width and n * k == len(usual.inputs[0].data) else None


def _flat(request: InferRequest, blobs: bytes, width: int) -> NDArray[np.float64] | None:
    """One binary tensor of all features as it lies there; None for what ``columns_of`` reads or refuses."""
    if len(request.inputs) != 1:
        return None
    [tensor] = request.inputs
    whole = tensor.name == "input" and tensor.datatype in ("FP32", "FP64") and tensor.shape[1:] == [width]
    if not whole or bytes(tensor.data) or tensor.parameters.get("binary_data_size") != len(blobs):
        return None
    numbers = np.asarray(tensors.from_blob(tensor, blobs), dtype=np.float64)
    return None if np.isinf(numbers).any() else numbers


def columns_of(request: InferRequest, blobs: bytes, schema: Schema) -> dict[str, list[Any] | NDArray[Any]]:
    """The request's inputs as columns; ``blobs`` are those of the binary ones, in their order."""
    columns = _columns(request, blobs, schema)
    features = {c.name: c.kind for c in schema.features}
    return {name: _typed(name, values, features.get(name)) for name, values in columns.items()}


def _split(content: bytes, json_length: str | None, schema: Schema) -> tuple[InferRequest, bytes]:
    if json_length is None:
        head, rest = content, b""
    else:
        if not (json_length.isascii() and json_length.isdigit()) or int(json_length) > len(content):
            raise Problem(400, "Inference-Header-Content-Length is not the length of the body's JSON.")
        head, rest = content[: int(json_length)], content[int(json_length) :]
        if not head:
            return _raw(rest, schema), rest
    try:
        return _REQUEST.decode(head), rest
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is no V2 inference request: {error}.") from None
    except RecursionError:
        raise Problem(400, "The body is no V2 inference request: it is nested too deeply.") from None


def _raw(blob: bytes, schema: Schema) -> InferRequest:
    """A request that is one blob: all features as FP64 rows, or the only feature."""
    features = schema.features
    if len(features) == 1 and features[0].kind not in _NUMERIC:
        raise Problem(
            400, f"A raw request needs numeric features; '{features[0].name}' is {features[0].kind}."
        )
    width = len(features)
    if any(c.kind not in _NUMERIC for c in features) or not blob or len(blob) % (8 * width):
        raise Problem(
            400, f"A raw request is rows of {width} FP64 values for a model of numeric features only."
        )
    shape = [len(blob) // (8 * width), width]
    tensor = Tensor(name="input", shape=shape, datatype="FP64", parameters={"binary_data_size": len(blob)})
    return InferRequest(inputs=[tensor])


def _columns(request: InferRequest, blobs: bytes, schema: Schema) -> dict[str, list[Any] | NDArray[Any]]:
    if not request.inputs:
        raise Problem(400, "The request has no inputs: send one tensor a feature.")
    columns: dict[str, list[Any] | NDArray[Any]] = {}
    at = 0
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values: list[Any] | NDArray[Any] = tensors.from_json(tensor)
        else:
            if bytes(tensor.data):
                raise Problem(400, f"Input '{tensor.name}' has both data and binary_data_size.")
            if type(size) is not int or not 0 <= size <= len(blobs) - at:
                raise Problem(
                    400,
                    f"Input '{tensor.name}' says binary_data_size {size}; the body has {len(blobs) - at}.",
                )
            values = tensors.from_blob(tensor, blobs[at : at + size])
            at += size
        for name, column in _spread(tensor, values, schema):
            if name in columns:
                raise Problem(400, f"Input '{name}' is there twice.", field=name)
            columns[name] = column
    if at != len(blobs):
        raise Problem(400, f"The body has {len(blobs) - at} bytes after the last input.")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise Problem(400, f"The inputs have different numbers of rows: {sorted(lengths)}.")
    return columns


def _spread(
    tensor: Tensor, values: list[Any] | NDArray[Any], schema: Schema
) -> list[tuple[str, list[Any] | NDArray[Any]]]:
    names = [c.name for c in schema.features]
    shape = tensor.shape
    whole = tensor.name == "input" and "input" not in names
    if whole:
        if any(c.kind not in _NUMERIC for c in schema.features):
            raise Problem(
                400, "The tensor 'input' [n, k] serves numeric features only: send one tensor a feature."
            )
        if len(shape) != 2 or shape[1] != len(names):
            raise Problem(400, f"The tensor 'input' has the shape {shape}; it is [n, {len(names)}] here.")
        return [(name, values[i :: len(names)]) for i, name in enumerate(names)]
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise Problem(
            400,
            f"Input '{tensor.name}' has the shape {shape}; a feature is [n] or [n, 1].",
            field=tensor.name,
        )
    return [(tensor.name, values)]


def _typed(name: str, values: list[Any] | NDArray[Any], kind: str | None) -> list[Any] | NDArray[Any]:
    """Values as the decoder reads them: JSON's numbers as the schema's kind.

    A tensor has one datatype for all its elements, so 0 and 1 stand for booleans, and NaN for null.
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise _infinite(name)
        if kind == "boolean" and values.dtype.kind != "b" and np.isin(values, (0, 1)).all():
            return values.astype(np.bool_)
        return values
    if kind == "boolean":
        return [bool(v) if type(v) in (int, float) and v in (0, 1) else v for v in values]
    if any(type(v) is float and math.isinf(v) for v in values):
        raise _infinite(name)
    return values


def _infinite(name: str) -> Problem:
    return Problem(400, f"Input '{name}' holds an infinite number, which no feature takes.", field=name)


def asked(request: InferRequest, outputs: Sequence[str], *, raw: bool) -> tuple[tuple[str, bool], ...]:
    """The outputs that the request names, or all; and whether each is to be binary."""
    binary = raw or request.parameters.get("binary_data_output") is True
    if not request.outputs:
        return tuple((name, binary) for name in outputs)
    for wanted in request.outputs:
        if wanted.name not in outputs:
            raise Problem(
                400, f"There is no output '{wanted.name}': there are {', '.join(outputs)}.", field=wanted.name
            )
    return tuple((w.name, w.parameters.get("binary_data", binary) is True) for w in request.outputs)


def values_of(given: Given) -> dict[str, tuple[str, list[int], Sequence[Any]]]:
    """Each output's datatype, shape and flat values."""
    told = given.told
    n = len(given.prediction)
    values: dict[str, tuple[str, list[int], Sequence[Any]]] = {
        "prediction": (told.datatype, [n], given.prediction)
    }
    if told.task == "multilabel":
        flat = [label in held for held in given.prediction for label in told.classes]
        values["prediction"] = ("BOOL", [n, len(told.classes)], flat)
    if given.beside is not None and told.beside is not None:
        shape = [n, len(given.beside[0]) if n else 0]
        values[told.beside] = ("FP64", shape, [number for row in given.beside for number in row])
    return values


def _usually(reading: Reading, given: Given) -> bytes:
    """What ``_answer`` gives for all outputs in JSON, written piece by piece: many ask so."""
    told, n, beside = given.told, len(given.prediction), given.beside
    known_as = _JSON.encode(given.request_id)
    parts = [
        _named(told.model, told.version),
        _JSON.encode(reading.id) if reading.id is not None else known_as,
        b',"parameters":{"request_id":%b},"outputs":[' % known_as,
        b'{"name":"prediction","shape":[%d],"datatype":"%b","data":%b}'
        % (n, told.datatype.encode(), _JSON.encode(given.prediction)),
    ]
    if beside is not None and told.beside is not None:
        flat = beside[0] if n == 1 else [number for row in beside for number in row]
        parts.append(
            b',{"name":"%b","shape":[%d,%d],"datatype":"FP64","data":%b}'
            % (told.beside.encode(), n, len(beside[0]) if n else 0, _JSON.encode(flat))
        )
    parts.append(b"]}")
    return b"".join(parts)


@functools.lru_cache(maxsize=256)
def _named(model: str, version: str) -> bytes:
    return b'{"model_name":%b,"model_version":%b,"id":' % (_JSON.encode(model), _JSON.encode(version))


def _answer(reading: Reading, given: Given) -> Framed:
    """The reply. ``id`` is the client's where it sent one; ``parameters.request_id`` is what outcomes join on."""
    told, values = given.told, values_of(given)
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, binary in reading.outputs or [(name, False) for name in values]:
        if name not in values:  # a classifier that gives labels alone
            continue
        datatype, shape, flat = values[name]
        output: dict[str, Any] = {"name": name, "shape": shape, "datatype": datatype}
        if binary:
            blobs.append(tensors.blob(flat, datatype))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = list(flat)
        outputs.append(output)
    body = msgspec.json.encode(
        {
            "model_name": told.model,
            "model_version": told.version,
            "id": reading.id if reading.id is not None else given.request_id,
            "parameters": {"request_id": given.request_id},
            "outputs": outputs,
        }
    )
    if not blobs:
        return Framed(body, JSON)
    header = b"inference-header-content-length: %d\r\n" % len(body)
    return Framed(b"".join([body, *blobs]), b"application/octet-stream", header)
