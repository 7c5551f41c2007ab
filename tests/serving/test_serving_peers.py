"""What real clients make of a running service, each in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving_parts import Running, plan_for, serve_mixed, serve_numeric

pytestmark = pytest.mark.peer

Peer = Callable[[str], Path]

KSERVE = """
import asyncio, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, InferOutput, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

base = sys.argv[1]


async def main():
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as v2:
        assert await v2.is_server_live(base) and await v2.is_server_ready(base)
        assert await v2.is_model_ready(base, "screening")
        for binary in (False, True):
            age, size = InferInput("age", [2], "INT64"), InferInput("size", [2], "FP64")
            age.set_data_from_numpy(np.array([50, 10]), binary_data=binary)
            size.set_data_from_numpy(np.array([3.5, 1.5]), binary_data=binary)
            asked = [RequestedOutput(n, parameters={"binary_data": binary}) for n in ("prediction", "probability")]
            request = InferRequest("screening", [age, size], request_id="r-1", request_outputs=asked)
            reply = await v2.infer(base, request, model_name="screening")
            assert reply.id == "r-1" and reply.model_name == "screening", reply
            told = {o.name: o.as_numpy() for o in reply.outputs}
            assert told["probability"].shape == (2, 2), told
            assert np.allclose(told["probability"].sum(axis=1), 1), told
        try:
            bad = InferInput("age", [1], "BYTES", data=["x"])
            await v2.infer(base, InferRequest("screening", [bad]), model_name="screening")
        except Exception as error:
            assert "400" in str(error) and "age" in str(error), error
        else:
            raise AssertionError("a bad request was answered")
    async with InferenceRESTClient(RESTConfig(protocol="v1", retries=0)) as v1:
        assert await v1.is_model_ready(base, "screening")
        rows = {"instances": [{"age": 50, "size": 3.5}, {"age": 10, "size": 1.5}]}
        assert await v1.infer(base, rows, model_name="screening") == {"predictions": ["malignant", "malignant"]}


asyncio.run(main())
"""

OPEN_INFERENCE = """
import sys
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.types import InferenceRequest, RequestInput

client = OpenInferenceClient(base_url=sys.argv[1])
client.check_server_liveness()
client.check_server_readiness()
client.check_model_readiness("screening")
client.check_model_version_readiness("screening", "7")
assert client.read_server_metadata().name == "modelyard"
assert [t.name for t in client.read_model_metadata("screening").inputs] == ["age", "size"]
inputs = [
    RequestInput(name="age", shape=[1], datatype="INT64", data=[50]),
    RequestInput(name="size", shape=[1], datatype="FP64", data=[3.5]),
]
reply = client.model_infer("screening", request=InferenceRequest(id="x", inputs=inputs))
assert reply.id == "x" and reply.outputs[0].name == "prediction", reply
half = InferenceRequest(inputs=inputs[:1])
for call, status in ((lambda: client.read_model_metadata("nobody"), 404),
                     (lambda: client.model_infer("screening", request=half), 400)):
    try:
        call()
    except ApiError as refused:
        assert refused.status_code == status and refused.body, refused
    else:
        raise AssertionError("not refused")
"""

MLFLOW = """
import sys
import numpy as np, pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

client = ScoringServerClient("127.0.0.1", int(sys.argv[1]))
client.wait_server_ready(timeout=10)
assert client.get_version()
frame = pd.DataFrame({"size": [3.5, 1.5], "age": [50, 10], "more": ["x", None]})
reply = client.invoke(frame).get_predictions()
assert reply.shape == (2, 2) and np.allclose(reply.sum(axis=1), 1), reply
again = client.invoke(np.array([[50, 3.5], [10, 1.5]])).get_predictions()
assert np.allclose(reply, again), again
try:
    client.invoke(frame.assign(age=500))
except Exception as error:
    assert "500" in str(error), error
else:
    raise AssertionError("not refused")
"""


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of one model."""
    folder = tmp_path_factory.mktemp("single")
    running = Running(folder, plan_for(serve_numeric(folder / "p")))
    yield running
    running.stop()


def run(*words: object, folder: Path | None = None) -> None:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=200, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kserves_client(single: Running, peer: Peer) -> None:
    run(peer("kserve"), "-c", KSERVE, f"http://127.0.0.1:{single.plan.port}")


def test_the_client_made_of_the_protocols_openapi(single: Running, peer: Peer) -> None:
    run(peer("kserve"), "-c", OPEN_INFERENCE, f"http://127.0.0.1:{single.plan.port}")


def test_mlflows_scoring_client(single: Running, peer: Peer) -> None:
    run(peer("mlflow"), "-c", MLFLOW, single.plan.port)


@pytest.mark.parametrize("binary", [False, True])
def test_mlservers_infer(single: Running, peer: Peer, tmp_path: Path, binary: bool) -> None:
    inputs = [
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [50]},
        {"name": "size", "shape": [1], "datatype": "FP64", "data": [3.5]},
    ]
    asked, answered = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    asked.write_text("".join(json.dumps({"inputs": inputs}) + "\n" for _ in range(40)))
    command = [peer("mlserver").parent / "mlserver", "infer", "-u", f"127.0.0.1:{single.plan.port}"]
    command += ["-m", "screening", "-i", asked, "-o", answered, "-w", "4", "-s", "5"]
    run(*command, *(["-b"] if binary else []))
    replies = [json.loads(line) for line in answered.read_text().splitlines()]
    assert len(replies) == 40
    for reply in replies:
        outputs = {output["name"]: output for output in reply["outputs"]}
        assert outputs["prediction"]["data"] in (["malignant"], "malignant"), reply


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of a classifier of numbers and a regression of mixed columns."""
    folder = tmp_path_factory.mktemp("both")
    plan = plan_for(serve_numeric(folder / "p1"), serve_mixed(folder / "p2"), log=str(folder / "log"))
    running = Running(folder, plan)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("paths", "left_out"),
    [
        ("^/models/[a-z]+/(predict|feedback)|^/[a-z0-9]+(/models)?$", []),
        # a protocol takes more than what is described, and no schema says that all columns are equally long
        ("infer|invocations|:predict", ["positive_data_acceptance", "negative_data_rejection"]),
    ],
    ids=["native", "protocols"],
)
def test_schemathesis_finds_nothing(
    both: Running, peer: Peer, tmp_path: Path, paths: str, left_out: list[str]
) -> None:
    command = [peer("schemathesis").parent / "schemathesis", "run", "--checks", "all", "--seed", "7"]
    command += ["--max-examples", "60", "--include-path-regex", paths, "--no-color"]
    command += ["--exclude-checks", ",".join(left_out)] if left_out else []
    run(*command, f"http://127.0.0.1:{both.plan.port}/openapi.json", folder=tmp_path)
