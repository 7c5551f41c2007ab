"""Tensors and infer requests of the Open Inference Protocol."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.records.schema import Column, Schema
from modelyard.wire import inference, tensors
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Given, Told
from modelyard.wire.tensors import Tensor

SCHEMA = Schema(columns=(Column(name="a", kind="integer"), Column(name="b", kind="boolean")))
OUTPUTS = ("prediction", "probability")


def _numbers(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BOOL":
        return st.booleans()
    if datatype == "BYTES":
        return st.text(max_size=8)
    bits = 8 * tensors.SIZES[datatype]
    if datatype.startswith("FP"):
        return st.floats(width=bits, allow_nan=False, allow_infinity=False)  # type: ignore[call-overload]
    low = 0 if datatype.startswith("U") else -(1 << bits - 1)
    return st.integers(low, (1 << bits - 1) - 1)


@given(data=st.data(), datatype=st.sampled_from([*tensors.SIZES, "BYTES"]))
def test_a_blob_and_json_hold_the_same_values(data: st.DataObject, datatype: str) -> None:
    values = data.draw(st.lists(_numbers(datatype), max_size=6))
    blob = tensors.blob(values, datatype)
    shape = [len(values)]
    by_blob = tensors.from_blob(Tensor(name="t", shape=shape, datatype=datatype), blob)
    encoded = json.dumps({"name": "t", "shape": shape, "datatype": datatype, "data": values}).encode()
    by_json = tensors.from_json(inference.msgspec.json.decode(encoded, type=Tensor))
    assert list(by_blob) == values == by_json


@given(
    rows=st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1, max_size=5),
    flat=st.booleans(),
)
def test_one_tensor_is_spread_over_the_features_nested_or_flat(rows: list[list[int]], flat: bool) -> None:
    data = [v for row in rows for v in row] if flat else rows
    schema = Schema(columns=(Column(name="a", kind="integer"), Column(name="b", kind="integer")))
    tensor = {"name": "input", "shape": [len(rows), 2], "datatype": "INT64", "data": data}
    reading = inference.read_request(json.dumps({"inputs": [tensor]}).encode(), None, schema, outputs=OUTPUTS)
    assert reading.columns == {"a": [r[0] for r in rows], "b": [r[1] for r in rows]}


def test_json_and_blobs_mix_and_outputs_choose_their_form() -> None:
    blob = np.array([1, 0], dtype="?").tobytes()
    request = {
        "id": "x",
        "parameters": {"binary_data_output": True},
        "inputs": [
            {"name": "a", "shape": [2], "datatype": "INT64", "data": [1, 2]},
            {"name": "b", "shape": [2, 1], "datatype": "BOOL", "parameters": {"binary_data_size": 2}},
        ],
        "outputs": [{"name": "probability"}, {"name": "prediction", "parameters": {"binary_data": False}}],
    }
    head = json.dumps(request).encode()
    reading = inference.read_request(head + blob, str(len(head)), SCHEMA, outputs=OUTPUTS)
    assert reading.columns["a"] == [1, 2]
    assert list(reading.columns["b"]) == [True, False]
    assert reading.outputs == (("probability", True), ("prediction", False))
    told = Told(model="m", version="1", model_id="m/x/1", task="binary", classes=("é",), datatype="BYTES")
    body, kind, headers = reading.write(Given(told, "r", ["é", ""], [[0.5], [1.0]]))
    assert kind == b"application/octet-stream"
    length = int(headers.removeprefix(b"inference-header-content-length: "))
    reply = json.loads(body[:length])
    assert reply["id"] == "x"
    assert reply["outputs"][1]["data"] == ["é", ""]
    assert np.frombuffer(body[length:], "<f8").tolist() == [0.5, 1.0]


@pytest.mark.parametrize("length", ["-1", "999", "x", "1.0"])
def test_a_json_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(Problem) as caught:
        inference.read_request(b"{}", length, SCHEMA, outputs=OUTPUTS)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("datatype", "blob"),
    [
        ("BYTES", b"\x05\x00\x00\x00ab"),
        ("BYTES", b"\x01\x00"),
        ("BYTES", b"\x01\x00\x00\x00\xff"),
        ("FP64", b"1234567"),
    ],
)
def test_a_broken_blob_is_refused(datatype: str, blob: bytes) -> None:
    with pytest.raises(Problem):
        tensors.from_blob(Tensor(name="t", shape=[1], datatype=datatype), blob)


@given(st.binary(max_size=200), st.one_of(st.none(), st.integers(0, 200).map(str)))
def test_any_bytes_are_read_or_refused(content: bytes, length: str | None) -> None:
    statuses = []
    try:
        statuses.append(len(inference.read_request(content, length, SCHEMA, outputs=OUTPUTS).outputs))
    except Problem as problem:
        statuses.append(problem.status)
    assert statuses in ([400], [2])


def test_an_infinite_number_is_refused() -> None:
    schema = Schema(columns=(Column(name="a", kind="float"),))
    with pytest.raises(Problem):
        inference.read_request(np.array([np.inf]).tobytes(), "0", schema, outputs=OUTPUTS)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    def read(datatype: str, data: bytes) -> list[Any]:
        made = b'{"name": "t", "shape": [1], "datatype": "%b", "data": [%b]}' % (datatype.encode(), data)
        return tensors.from_json(inference.msgspec.json.decode(made, type=Tensor))

    assert read("INT8", b"50.0") == [50]
    for datatype, data in (("INT8", b"50.5"), ("INT8", b"128.0"), ("UINT8", b"-1.0"), ("BYTES", b"1.0")):
        with pytest.raises(Problem):
            read(datatype, data)
