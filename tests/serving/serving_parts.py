"""Minimal packages, and a real supervisor on a free port."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper

from modelyard.predictor import digest
from modelyard.records.package import Layout, Manifest, PackagedFile
from modelyard.records.schema import Column, Schema
from modelyard.records.service import ServedModel, ServicePlan, ServiceState

NUMERIC = Schema(
    columns=(
        Column(name="age", kind="integer", minimum=0, maximum=120, declared=("range",)),
        Column(name="size", kind="float", minimum=0, maximum=50),
        Column(name="benign", kind="string"),
    ),
    target="benign",
)
MIXED = Schema(
    columns=(
        Column(name="age", kind="integer", nullable=True),
        Column(name="smokes", kind="boolean"),
        Column(name="city", kind="string", categories=("Bern", "Basel"), declared=("categories",)),
        Column(name="seen", kind="date"),
        Column(name="cost", kind="float"),
    ),
    target="cost",
)


def _graph(schema: Schema, classes: tuple[str, ...], shift: float) -> bytes:
    """Classifier: P(last) = sigmoid(sum of numbers / 100 + shift); regression: that sum."""
    k = sum(c.kind != "string" for c in schema.features)
    texts = sum(c.kind == "string" for c in schema.features)
    inputs = [helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, ["n", k])]
    if texts:
        inputs.append(helper.make_tensor_value_info("texts", TensorProto.STRING, ["n", texts]))
    weights = np.full((k, 1), 0.01)
    inits = [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(np.array([shift]), "b")]
    nodes = [
        helper.make_node("IsNaN", ["numbers"], ["isnan"]),
        helper.make_node("Where", ["isnan", "zero", "numbers"], ["filled"]),
        helper.make_node("MatMul", ["filled", "w"], ["m"]),
    ]
    inits.append(onnx.numpy_helper.from_array(np.array(0.0), "zero"))
    if classes:
        nodes += [
            helper.make_node("Add", ["m", "b"], ["z"]),
            helper.make_node("Sigmoid", ["z"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["probability"], axis=1),
        ]
        inits.append(onnx.numpy_helper.from_array(np.array(1.0), "one"))
        output = helper.make_tensor_value_info("probability", TensorProto.DOUBLE, ["n", 2])
    else:
        nodes.append(helper.make_node("Add", ["m", "b"], ["number"]))
        output = helper.make_tensor_value_info("number", TensorProto.DOUBLE, ["n", 1])
    graph = helper.make_graph(nodes, "g", inputs, [output], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def make_package(
    folder: Path,
    *,
    schema: Schema = NUMERIC,
    classes: tuple[str, ...] = ("benign", "malignant"),
    shift: float = 0.0,
    golden: dict[str, Any] | None = None,
) -> str:
    """Write a package and return its digest."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.onnx").write_bytes(_graph(schema, classes, shift))
    if golden is not None:
        (folder / "golden.json").write_bytes(json.dumps(golden).encode())
    files = [
        PackagedFile(
            path=p.relative_to(folder).as_posix(),
            size=p.stat().st_size,
            sha256=hashlib.sha256(p.read_bytes()).hexdigest(),
        )
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    ]
    manifest = Manifest(
        model="screening",
        task="binary" if classes else "regression",
        classes=classes,
        form="onnx",
        frame="numpy",
        schema=schema,
        layout=Layout(
            numbers=tuple(c.name for c in schema.features if c.kind != "string"),
            texts=tuple(c.name for c in schema.features if c.kind == "string"),
        ),
        requirements=(),
        python="3.11",
        files=tuple(files),
    )
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return digest(folder)


GOLDEN = {
    "rows": [{"age": 50, "size": 3.5}],
    "prediction": ["malignant"],
    "probability": [[1 - 1 / (1 + np.exp(-0.535)), 1 / (1 + np.exp(-0.535))]],
}


def serve_numeric(folder: Path, version: int = 7, shift: float = 0.0) -> ServedModel:
    made = make_package(folder, shift=shift, golden=GOLDEN if shift == 0 else None)
    return ServedModel(
        model="screening",
        version=version,
        model_id=f"screening/prod/{version}",
        package=made,
        folder=str(folder),
    )


def serve_mixed(folder: Path) -> ServedModel:
    made = make_package(folder, schema=MIXED, classes=())
    return ServedModel(model="costs", version=1, model_id="costs/prod/1", package=made, folder=str(folder))


class Running:
    """A supervisor process, its plan and its state."""

    def __init__(self, folder: Path, plan: ServicePlan, *, await_generation: bool = True) -> None:
        self.plan_path, self.state_path = folder / "plan.json", folder / "state.json"
        self.plan = plan
        self.log = folder / "service.log"
        self.write(plan)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "modelyard.serving",
                    "--plan",
                    str(self.plan_path),
                    "--state",
                    str(self.state_path),
                ],
                stdout=log,
                stderr=log,
            )
        if await_generation:
            self.wait(lambda s: s.generation == plan.generation)

    def write(self, plan: ServicePlan) -> None:
        scratch = self.plan_path.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode(plan))
        scratch.replace(self.plan_path)
        self.plan = plan

    def state(self) -> ServiceState | None:
        try:
            return msgspec.json.decode(self.state_path.read_bytes(), type=ServiceState)
        except FileNotFoundError:
            return None

    def wait(self, ready: Callable[[ServiceState], bool], seconds: float = 15) -> ServiceState:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = self.state()
            if state is not None and ready(state):
                return state
            time.sleep(0.01)
        raise AssertionError(f"state stayed {self.state()}; log: {self.log.read_text()}")

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.plan.port, timeout=10)
        try:
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, content, headers or {})
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        status, _, content = self.ask(method, path, body, headers)
        return status, json.loads(content)

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.plan.port), timeout=10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plan_for(*models: ServedModel, **fields: Any) -> ServicePlan:
    given: dict[str, Any] = {"environment": "prod", "generation": 1, "port": free_port()} | fields
    return ServicePlan(models=models, **given)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
