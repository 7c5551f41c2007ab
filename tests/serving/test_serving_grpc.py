"""The Open Inference Protocol over gRPC: its real client, and bare messages that do not fit."""

from __future__ import annotations

import hashlib
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import numpy as np
import pytest
from serving_parts import Running, free_port, plan_for, serve_mixed, serve_numeric

from modelyard.predictions import read
from modelyard.wire import protobuf
from modelyard.wire.protobuf import field, packed, repeated

Call = Callable[..., bytes]

TRITON = """
import sys
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("screening") and client.is_model_ready("screening", "7")
assert not client.is_model_ready("nobody") and not client.is_model_ready("screening", "6")
assert client.get_server_metadata().name == "modelyard"
told = client.get_model_metadata("costs", as_json=True)
assert [(t["name"], t["datatype"], t["shape"]) for t in told["inputs"]] == [
    ("age", "INT64", ["-1"]), ("smokes", "BOOL", ["-1"]), ("city", "BYTES", ["-1"]), ("seen", "BYTES", ["-1"])
], told


def tensor(name, values, datatype):
    array = np.asarray(values)
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


inputs = [tensor("age", np.array([50, 10]), "INT64"), tensor("size", np.array([3.5, 1.5]), "FP64")]
result = client.infer("screening", inputs, request_id="r-1")
likely = 1 / (1 + np.exp(-np.array([0.535, 0.115])))
assert np.allclose(result.as_numpy("probability"), np.stack([1 - likely, likely], axis=1))
assert result.as_numpy("prediction").tolist() == [b"malignant", b"malignant"]
assert result.get_response().id == "r-1" and result.get_response().model_version == "7"
only = client.infer("screening", inputs, outputs=[triton.InferRequestedOutput("prediction")])
assert only.as_numpy("probability") is None
mixed = [tensor("age", np.array([40]), "INT64"), tensor("smokes", np.array([True]), "BOOL"),
         tensor("city", np.array([b"Bern"], dtype=object), "BYTES"),
         tensor("seen", np.array([b"2024-01-02"], dtype=object), "BYTES")]
assert client.infer("costs", mixed).as_numpy("prediction").shape == (1,)
for name, given, code in (("screening", inputs[:1], "INVALID_ARGUMENT"), ("nobody", inputs, "NOT_FOUND")):
    try:
        client.infer(name, given)
    except InferenceServerException as error:
        assert code in error.status(), error
    else:
        raise AssertionError("not refused")
"""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("grpc")
    models = serve_numeric(folder / "p1"), serve_mixed(folder / "p2")
    running = Running(folder, plan_for(*models, workers=2, log=str(folder / "log"), grpc_port=free_port()))
    yield running
    assert running.stop() == 0


@pytest.fixture
def call(spoken: Running) -> Iterator[Call]:
    channel = grpc.insecure_channel(f"127.0.0.1:{spoken.plan.grpc_port}")

    def ask(name: str, content: bytes = b"", **metadata: str) -> bytes:
        method = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
        answer: bytes = method(content, timeout=10, metadata=tuple(metadata.items()))
        return answer

    yield ask
    channel.close()


def tensor(name: str, datatype: str, shape: list[int], contents: bytes | None = None) -> bytes:
    made = field(1, name) + field(2, datatype) + packed(3, shape)
    return made if contents is None else made + field(5, contents)


def infer(*inputs: bytes, raw: tuple[bytes, ...] = (), name: str = "screening", version: str = "") -> bytes:
    return field(1, name) + field(2, version) + repeated(5, inputs) + repeated(7, raw)


AGE = tensor("age", "INT64", [1], packed(3, [50]))
SIZE = tensor("size", "FP64", [1], field(7, np.array([3.5]).tobytes()))


def outputs(content: bytes) -> list[bytes]:
    return [value for number, value in protobuf.fields(content) if number == 6]  # type: ignore[misc]


@pytest.mark.peer
def test_tritons_client(spoken: Running, peer: Callable[[str], Path]) -> None:
    words = [str(peer("kserve")), "-c", TRITON, f"127.0.0.1:{spoken.plan.grpc_port}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_typed_contents_are_answered_as_raw_ones(spoken: Running, call: Call) -> None:
    typed = outputs(call("ModelInfer", infer(AGE, SIZE)))
    numbers = np.array([50], "<i8").tobytes(), np.array([3.5]).tobytes()
    raw = infer(tensor("age", "INT64", [1]), tensor("size", "FP64", [1]), raw=numbers)
    assert outputs(call("ModelInfer", raw)) == typed
    status, native = spoken.json("POST", "/models/screening/predict", {"rows": [{"age": 50, "size": 3.5}]})
    assert status == 200
    assert np.frombuffer(typed[1]).tolist() == native["probability"][0]


def test_every_datatype_of_typed_contents_is_read(call: Call) -> None:
    whole = {"INT8": 2, "INT32": 2, "INT64": 3, "UINT8": 4, "UINT64": 5}
    for datatype, number in whole.items():
        age = tensor("age", datatype, [2], packed(number, [50, 7]))
        size = tensor("size", "FP32", [2], field(6, np.array([3.5, 1.5], "<f4").tobytes()))
        assert len(np.frombuffer(outputs(call("ModelInfer", infer(age, size)))[1])) == 4
    texts = [
        tensor("age", "INT64", [1], packed(3, [40])),
        tensor("smokes", "BOOL", [1], packed(1, [1])),
        tensor("city", "BYTES", [1], field(8, "Bern")),
        tensor("seen", "BYTES", [1], field(8, "2024-01-02")),
    ]
    assert len(outputs(call("ModelInfer", infer(*texts, name="costs")))) == 1


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"\xff\xff\xff", "INVALID_ARGUMENT", "well-formed"),
        (field(1, b"\xff\xfe"), "INVALID_ARGUMENT", "UTF-8"),
        (infer(AGE, SIZE)[:-3], "INVALID_ARGUMENT", "well-formed"),
        (infer(), "INVALID_ARGUMENT", "no inputs"),
        (infer(AGE), "INVALID_ARGUMENT", "size"),
        (infer(AGE, SIZE, SIZE), "INVALID_ARGUMENT", "twice"),
        (infer(AGE, SIZE, raw=(b"12345678",)), "INVALID_ARGUMENT", "raw_input_contents"),
        (infer(AGE, SIZE, version="6"), "NOT_FOUND", "6"),
        (infer(AGE, SIZE, name="nobody"), "NOT_FOUND", "nobody"),
        (infer(tensor("age", "INT64", [3], packed(3, [1])), SIZE), "INVALID_ARGUMENT", "shape"),
        (infer(tensor("age", "INT64", [-1], packed(3, [1])), SIZE), "INVALID_ARGUMENT", "negative"),
        (infer(tensor("age", "INT64", [1], packed(3, [500])), SIZE), "INVALID_ARGUMENT", "500"),
        (infer(tensor("age", "NONE", [1], packed(3, [1])), SIZE), "INVALID_ARGUMENT", "NONE"),
        (infer(AGE, SIZE) + field(6, field(1, "other")), "INVALID_ARGUMENT", "other"),
    ],
)
def test_a_message_that_does_not_fit_is_refused(call: Call, content: bytes, code: str, said: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer", content)
    error: Any = caught.value
    assert error.code().name == code
    assert said in error.details()
    assert outputs(call("ModelInfer", infer(AGE, SIZE)))


def test_what_is_answered_is_on_record(spoken: Running, call: Call) -> None:
    before = sum(len(frame) for frame in read(Path(str(spoken.plan.log))))
    for _ in range(20):
        call("ModelInfer", infer(AGE, SIZE))
    assert sum(len(frame) for frame in read(Path(str(spoken.plan.log)))) == before + 20


def test_a_token_is_asked_for_and_a_canary_divides(tmp_path: Path, start: Callable[..., Running]) -> None:
    rival = msgspec.structs.replace(
        serve_numeric(tmp_path / "p8", version=8, shift=-5.0), arm="canary", share=0.5, sticky="X-User"
    )
    token = hashlib.sha256(b"secret").hexdigest()
    running = start(
        plan_for(serve_numeric(tmp_path / "p7"), rival, token_sha256=(token,), grpc_port=free_port())
    )
    with grpc.insecure_channel(f"127.0.0.1:{running.plan.grpc_port}") as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as caught:
            ask(infer(AGE, SIZE), timeout=5)
        error: Any = caught.value
        assert error.code().name == "UNAUTHENTICATED"
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        assert ready(b"", timeout=5) == field(1, True)
        seen: Counter[object] = Counter()
        for user in range(30):
            metadata = (("authorization", "Bearer secret"), ("x-user", f"user-{user}"))
            reply = ask(infer(AGE, SIZE), timeout=5, metadata=metadata)
            seen[next(value for number, value in protobuf.fields(reply) if number == 2)] += 1
        assert set(seen) == {b"7", b"8"}


def test_a_port_that_is_taken_is_refused(
    spoken: Running, start: Callable[..., Running], tmp_path: Path
) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"), grpc_port=spoken.plan.grpc_port)
    running = start(plan, await_generation=False)
    assert running.process.wait(15) == 3
    assert "gRPC" in running.log.read_text()
