"""The Open Inference Protocol, as its own client and bare HTTP see it."""

from __future__ import annotations

import json
import struct
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from serving_parts import Running
from tritonclient.utils import InferenceServerException

INFER = "/v2/models/screening/infer"


def _input(name: str, values: Any, datatype: str, *, binary: bool = True) -> triton.InferInput:
    array = np.asarray(values)
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


@pytest.fixture
def client(service: Running) -> Any:
    made = triton.InferenceServerClient(f"127.0.0.1:{service.plan.port}")
    yield made
    made.close()


def test_triton_reads_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("screening")
    assert client.is_model_ready("screening", "7")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "modelyard"
    metadata = client.get_model_metadata("costs")
    assert metadata["inputs"] == [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "smokes", "datatype": "BOOL", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1]},
        {"name": "seen", "datatype": "BYTES", "shape": [-1]},
    ]
    assert [m["name"] for m in client.get_model_repository_index()] == ["costs", "screening"]


def test_triton_may_not_load_or_unload(client: Any) -> None:
    for change in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException) as caught:
            change("screening")
        assert caught.value.status() == "403"


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_triton_infers_by_columns(client: Any, binary: bool, shape: tuple[int, ...]) -> None:
    inputs = [
        _input("age", np.array([50, 10], dtype=np.int64).reshape(shape), "INT64", binary=binary),
        _input("size", np.array([3.5, 1.5]).reshape(shape), "FP64", binary=binary),
    ]
    outputs = [triton.InferRequestedOutput(n, binary_data=binary) for n in ("probability", "prediction")]
    result = client.infer("screening", inputs, outputs=outputs, request_id="r-1")
    likely = 1 / (1 + np.exp(-np.array([0.535, 0.115])))
    assert result.as_numpy("probability") == pytest.approx(np.stack([1 - likely, likely], axis=1))
    labels = [p.decode() if isinstance(p, bytes) else p for p in result.as_numpy("prediction")]
    assert labels == ["malignant", "malignant"]
    assert result.get_response()["id"] == "r-1"
    assert result.get_response()["model_version"] == "7"


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "INT32", "UINT8", "FP16"])
def test_triton_infers_by_one_tensor_of_any_number(client: Any, datatype: str) -> None:
    kinds = {"FP64": "f8", "FP32": "f4", "INT64": "i8", "INT32": "i4", "UINT8": "u1", "FP16": "f2"}
    result = client.infer(
        "screening", [_input("input", np.array([[50, 4], [10, 2]], dtype=kinds[datatype]), datatype)]
    )
    likely = 1 / (1 + np.exp(-np.array([0.54, 0.12])))
    assert result.as_numpy("probability")[:, 1] == pytest.approx(likely)


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_triton_may_compress(client: Any, compression: str) -> None:
    result = client.infer(
        "screening", [_input("input", [[50.0, 4.0]], "FP64")], request_compression_algorithm=compression
    )
    assert result.as_numpy("prediction").tolist() == [b"malignant"]


def test_triton_sends_texts_booleans_and_nan_for_null(client: Any) -> None:
    inputs = [
        _input("age", np.array([np.nan, 3.0]), "FP64"),
        _input("smokes", np.array([True, False]), "BOOL"),
        _input("city", np.array([b"Bern", b"Basel"], dtype=object), "BYTES"),
        _input("seen", np.array([b"1970-01-02", b"1970-01-03"], dtype=object), "BYTES"),
    ]
    assert client.infer("costs", inputs).as_numpy("prediction") == pytest.approx([0.02, 0.05])


def test_both_surfaces_give_the_same_and_share_one_log(service: Running) -> None:
    rows = [{"age": 50, "size": 3.5}, {"age": 1, "size": 0.5}]
    native = service.json("POST", "/models/screening/predict", {"rows": rows})[1]
    columns = [
        {"name": "age", "shape": [2], "datatype": "INT64", "data": [50, 1]},
        {"name": "size", "shape": [2], "datatype": "FP64", "data": [3.5, 0.5]},
    ]
    status, reply = service.json("POST", INFER, {"inputs": columns})
    outputs = {o["name"]: o for o in reply["outputs"]}
    assert status == 200
    assert outputs["prediction"]["data"] == native["prediction"]
    assert outputs["probability"]["shape"] == [2, 2]
    assert outputs["probability"]["data"] == [p for row in native["probability"] for p in row]
    assert reply["id"] == reply["parameters"]["request_id"]


def test_a_raw_request_is_the_blob_alone(service: Running) -> None:
    blob = struct.pack("<4d", 50, 3.5, 1, 0.5)
    status, headers, content = service.ask("POST", INFER, blob, {"Inference-Header-Content-Length": "0"})
    length = int(headers["inference-header-content-length"])
    outputs = json.loads(content[:length])["outputs"]
    assert status == 200
    assert headers["content-type"] == "application/octet-stream"
    assert [o["parameters"]["binary_data_size"] for o in outputs] == [2 * (4 + 9), 32]
    assert len(content) == length + 26 + 32


def _column(**changes: Any) -> dict[str, Any]:
    age = {"name": "age", "shape": [1], "datatype": "INT64", "data": [50]} | changes
    return {"inputs": [age, {"name": "size", "shape": [1], "datatype": "FP64", "data": [1.0]}]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        {"inputs": []},
        {"inputs": 3},
        _column(shape=[2]),
        _column(shape=[-1]),
        _column(shape=[1, 1, 1]),
        _column(datatype="FLOAT"),
        _column(data=["x"]),
        _column(data=None),
        _column(data=[[50], 3]),
        _column(data=[2**70]),
        _column(name="size"),
        _column(name="other"),
        _column(name="input"),
        _column(data=[1.5], datatype="FP64"),
        _column(parameters={"binary_data_size": 8}),
        _column(shape=[0], data=[]),
        {**_column(), "outputs": [{"name": "nothing"}]},
    ],
)
def test_what_does_not_fit_is_400_with_the_protocols_error(service: Running, body: Any) -> None:
    status, headers, content = service.ask("POST", INFER, body)
    assert status == 400, content
    assert headers["content-type"] == "application/json"
    assert list(json.loads(content)) == ["error"]


@pytest.mark.parametrize(
    "path", ["/v2/models/nobody", "/v2/nothing", "/v2/models/screening/versions/6/ready"]
)
def test_unknown_paths_have_the_protocols_error(service: Running, path: str) -> None:
    status, headers, content = service.ask("GET", path)
    assert (status, headers["content-type"], list(json.loads(content))) == (
        404,
        "application/json",
        ["error"],
    )


def test_no_content_type_is_needed(service: Running) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.plan.port}{INFER}", data=json.dumps(_column()).encode()
    )
    request.add_header("Content-Type", "")
    with urllib.request.urlopen(request) as reply:
        assert json.loads(reply.read())["model_name"] == "screening"


NAMES = ("age", "size")
FORMS: dict[str, Callable[[list[list[float]]], tuple[bytes, str | None]]] = {
    "flat": lambda rows: (_whole(rows, [v for row in rows for v in row]), None),
    "with an id": lambda rows: (_whole(rows, [v for row in rows for v in row], id="r-1"), None),
    "nested": lambda rows: (_whole(rows, rows), None),
    "FP32": lambda rows: (_whole(rows, [v for row in rows for v in row], datatype="FP32"), None),
    "binary": lambda rows: _blob(rows, "FP64"),
    "binary FP32": lambda rows: _blob(rows, "FP32"),
    "a tensor a column": lambda rows: (
        json.dumps(
            {
                "inputs": [
                    {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": [row[i] for row in rows]}
                    for i, name in enumerate(NAMES)
                ]
            }
        ).encode(),
        None,
    ),
}


def _whole(rows: list[list[float]], data: object, *, datatype: str = "FP64", **more: object) -> bytes:
    tensor = {"name": "input", "shape": [len(rows), 2], "datatype": datatype, "data": data}
    return json.dumps({"inputs": [tensor], **more}).encode()


def _blob(rows: list[list[float]], datatype: str) -> tuple[bytes, str]:
    content = np.asarray(rows, dtype="<f8" if datatype == "FP64" else "<f4").tobytes()
    tensor = {
        "name": "input",
        "shape": [len(rows), 2],
        "datatype": datatype,
        "parameters": {"binary_data_size": len(content)},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + content, str(len(head))


@pytest.mark.parametrize(
    "rows",
    [
        [[50, 3.5]],
        [[50, 3.5], [10, 1.5], [0, 50]],
        [[float(i % 90), i / 64] for i in range(300)],
        [[50.5, 3.5]],  # no integer
        [[50, 3.5], [500, 1]],  # beyond what is declared
        [[float("nan"), 3.5]],
        [[50, 3.5], [-1, float("nan")]],
    ],
)
def test_all_forms_of_a_tensor_are_answered_alike(service: Running, rows: list[list[float]]) -> None:
    told = {}
    for form, make in FORMS.items():
        missing = any(value != value for row in rows for value in row)
        if missing and not form.startswith("binary"):
            continue  # JSON has no NaN
        body, length = make(rows)
        headers = {"Inference-Header-Content-Length": length} if length else {}
        status, _, content = service.ask("POST", INFER, body, headers)
        answer = json.loads(content)
        told[form] = (
            status,
            [output["data"] for output in answer["outputs"]]
            if status == 200
            else answer["error"].split("'")[1],
        )
    assert {status for status, _ in told.values()} in ({200}, {400})
    first, *others = [data for _, data in told.values()]
    for other in others:
        if isinstance(first, str):
            assert other == first
        else:
            assert other[0] == first[0]
            assert np.allclose(other[1], first[1], atol=1e-6)


@pytest.mark.parametrize(
    "tensor",
    [
        {"shape": [1, 3]},
        {"shape": [2, 2]},
        {"shape": [2]},
        {"shape": [-1, 2]},
        {"data": [50, None]},
        {"data": [50, True]},
        {"data": [50, "3"]},
        {"data": [50, 3, 4]},
        {"datatype": "BYTES"},
        {"name": "inputs"},
    ],
)
def test_a_tensor_of_all_features_that_does_not_fit_is_refused(
    service: Running, tensor: dict[str, object]
) -> None:
    whole = {"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [50, 3.5]}
    status, _, content = service.ask("POST", INFER, {"inputs": [whole | tensor]})
    assert status == 400, content
    assert list(json.loads(content)) == ["error"]


def test_large_tensors_give_what_small_ones_give(client: Any) -> None:
    rows = np.stack([np.arange(3000) % 100, np.arange(3000) / 100], axis=1)
    whole = client.infer("screening", [_input("input", rows, "FP64")]).as_numpy("probability")
    part = client.infer("screening", [_input("input", rows[:7], "FP64")]).as_numpy("probability")
    assert whole.shape == (3000, 2)
    assert whole[:7] == pytest.approx(part)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("screening", [_input("input", np.array([[500.0, 1.0]] * 3000), "FP64")])
    assert caught.value.status() == "400"
    assert "age" in caught.value.message()
