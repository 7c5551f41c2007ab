"""``integration``: the contract of every protocol; each must give the golden answers."""

from __future__ import annotations

import csv
import io
from typing import Any

from msgspec.json import decode, encode

from modelyard.deployment.application.subject import Subject, Test, differs, short
from modelyard.records.tested import Golden
from modelyard.wire import protobuf, tensors
from modelyard.wire.protobuf import field, packed, repeated
from modelyard.wire.tensors import Tensor

_DATATYPES = {"integer": "INT64", "float": "FP64", "boolean": "BOOL"}
_BINARY = "Inference-Header-Content-Length"


def tests(subject: Subject) -> list[tuple[str, Test]]:
    found: list[tuple[str, Test]] = [
        ("health", lambda: _health(subject)),
        ("identity", lambda: _identity(subject)),
        ("metadata", lambda: _metadata(subject)),
        ("openapi", lambda: _openapi(subject)),
        ("columns", lambda: _by_column(subject)),
        ("mlflow invocations", lambda: _invocations(subject)),
        ("v1 predict", lambda: _v1(subject)),
        ("unknown addresses", lambda: _unknown(subject)),
    ]
    if whole := subject.whole():
        found += [
            ("csv", lambda: _by_csv(subject, whole)),
            ("open inference protocol", lambda: _inference(subject, whole)),
            ("open inference protocol, binary", lambda: _binary(subject, whole)),
        ]
        if subject.door.grpc:
            found.append(("grpc", lambda: _grpc(subject, whole)))
    return found


def _health(subject: Subject) -> str:
    for path in (
        "/health",
        "/ping",
        "/v2/health/live",
        "/v2/health/ready",
        f"/v2/models/{subject.name}/ready",
    ):
        if (status := subject.door.get(path).status) != 200:
            return f"GET {path} answered {status}"
    return ""


def _identity(subject: Subject) -> str:
    """What is tested is what was meant: the service says whose package it answers from."""
    reply = subject.door.get("/models")
    if reply.status != 200:
        return f"GET /models answered {reply.status}: {short(reply)}"
    packages = [m["package"] for m in reply.body["models"] if m["model"] == subject.name]
    return "" if packages == [subject.package] else f"it answers from {packages} instead of {subject.package}"


def _metadata(subject: Subject) -> str:
    reply = subject.door.get(f"/v2/models/{subject.name}")
    if reply.status != 200:
        return f"metadata answered {reply.status}: {short(reply)}"
    served = [i["name"] for i in reply.body["inputs"]]
    wanted = [c.name for c in subject.features]
    return "" if served == wanted else f"metadata lists inputs {served}, the schema {wanted}"


def _openapi(subject: Subject) -> str:
    reply = subject.door.get("/openapi.json")
    if reply.status != 200:
        return f"/openapi.json answered {reply.status}"
    path = f"/models/{subject.name}/predict"
    return "" if path in reply.body["paths"] else f"/openapi.json has no {path}"


def _by_column(subject: Subject) -> str:
    columns = {c.name: [row.get(c.name) for row in subject.golden.rows] for c in subject.features}
    reply = subject.door.post(f"/models/{subject.name}/predict", {"columns": columns})
    if reply.status != 200:
        return f"columns were answered {reply.status}: {short(reply)}"
    return _native(subject.golden, reply.body)


def _by_csv(subject: Subject, golden: Golden) -> str:
    kind = {"Content-Type": "text/csv"}
    reply = subject.door.post(f"/models/{subject.name}/predict", _csv(subject, golden), kind)
    if reply.status != 200:
        return f"a CSV was answered {reply.status}: {short(reply)}"
    return _native(golden, reply.body)


def _native(golden: Golden, body: dict[str, Any]) -> str:
    return differs(golden, body["prediction"], body.get("probability"), body.get("quantiles"))


def _csv(subject: Subject, golden: Golden) -> bytes:
    text = io.StringIO(newline="")
    names = [c.name for c in subject.features]
    lines = csv.writer(text)
    lines.writerow(names)
    for row in golden.rows:
        cells = (row[name] for name in names)
        lines.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in cells])
    return text.getvalue().encode()


def _inference(subject: Subject, golden: Golden) -> str:
    told = [{**_told(t), "data": values} for t, values in _columns(subject, golden)]
    asks: list[list[dict[str, Any]]] = [told]
    if all(c.kind in _DATATYPES for c in subject.features):
        flat = [float(row[c.name]) for row in golden.rows for c in subject.features]
        shape = [len(golden.rows), len(subject.features)]
        asks.append([{"name": "input", "shape": shape, "datatype": "FP64", "data": flat}])
    for inputs in asks:
        reply = subject.door.post(f"/v2/models/{subject.name}/infer", {"inputs": inputs})
        if reply.status != 200:
            return f"infer answered {reply.status}: {short(reply)}"
        outputs = {o["name"]: _matrix(o["data"], o) for o in reply.body["outputs"]}
        if complaint := _same(subject, golden, outputs):
            return complaint
    return ""


def _binary(subject: Subject, golden: Golden) -> str:
    inputs, blobs = [], []
    for tensor, values in _columns(subject, golden):
        blobs.append(tensors.blob(values, tensor.datatype))
        inputs.append({**_told(tensor), "parameters": {"binary_data_size": len(blobs[-1])}})
    head = encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    path = f"/v2/models/{subject.name}/infer"
    reply = subject.door.post(path, head + b"".join(blobs), {_BINARY: str(len(head))})
    if reply.status != 200:
        return f"infer answered {reply.status}: {short(reply)}"
    at = int(reply.headers[_BINARY.lower()])
    outputs = {}
    for told in decode(reply.content[:at])["outputs"]:
        size = told["parameters"]["binary_data_size"]
        outputs[told["name"]] = _opened(told, reply.content[at : at + size])
        at += size
    return _same(subject, golden, outputs)


def _grpc(subject: Subject, golden: Golden) -> str:
    given = list(_columns(subject, golden))
    asked = [field(1, t.name) + field(2, t.datatype) + packed(3, t.shape) for t, _ in given]
    raw = [tensors.blob(values, t.datatype) for t, values in given]
    message = field(1, subject.name) + repeated(5, asked) + repeated(7, raw)
    code, answer = subject.door.call("ModelInfer", message, token=subject.door.token)
    if code != "OK":
        return f"ModelInfer answered {code}: {answer[:200].decode(errors='replace')}"
    listed = [_output(protobuf.message(value)) for number, value in protobuf.fields(answer) if number == 5]
    blobs = [protobuf.message(value) for number, value in protobuf.fields(answer) if number == 6]
    outputs = {told["name"]: _opened(told, blob) for told, blob in zip(listed, blobs, strict=True)}
    return _same(subject, golden, outputs)


def _output(content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"name": "", "datatype": "", "shape": []}
    for number, value in protobuf.fields(content):
        if number == 3:
            told["shape"] += map(protobuf.signed, protobuf.integers(value))
        elif number in (1, 2):
            told["name" if number == 1 else "datatype"] = protobuf.text(value)
    return told


def _columns(subject: Subject, golden: Golden) -> list[tuple[Tensor, list[Any]]]:
    shape = [len(golden.rows)]
    return [
        (
            Tensor(name=c.name, shape=shape, datatype=_DATATYPES.get(c.kind, "BYTES")),
            [row[c.name] for row in golden.rows],
        )
        for c in subject.features
    ]


def _told(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}


def _opened(told: dict[str, Any], blob: bytes) -> list[Any]:
    read = tensors.from_blob(Tensor(name=told["name"], shape=told["shape"], datatype=told["datatype"]), blob)
    return _matrix(read if isinstance(read, list) else read.tolist(), told)


def _matrix(flat: list[Any], told: dict[str, Any]) -> list[Any]:
    if told["datatype"] == "BOOL":
        flat = [bool(value) for value in flat]
    if len(told["shape"]) == 1:
        return flat
    width = told["shape"][1]
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def _same(subject: Subject, golden: Golden, outputs: dict[str, list[Any]]) -> str:
    golden = Golden(golden.rows, _matrix_of(subject, golden), golden.probability, golden.quantiles)
    return differs(golden, outputs.get("prediction"), outputs.get("probability"), outputs.get("quantiles"))


def _matrix_of(subject: Subject, golden: Golden) -> list[Any]:
    """The predictions as a tensor has them: of several labels yes or no for each."""
    if subject.manifest.task != "multilabel":
        return golden.prediction
    return [[label in held for label in subject.manifest.classes] for held in golden.prediction]


def _invocations(subject: Subject) -> str:
    golden = subject.golden
    names = [c.name for c in subject.features]
    split = {"columns": names, "data": [[row.get(name) for name in names] for row in golden.rows]}
    wanted = golden.quantiles or golden.probability or golden.prediction
    if wanted is golden.prediction and subject.manifest.task == "multilabel":
        wanted = [[float(yes) for yes in row] for row in _matrix_of(subject, golden)]
    for body in ({"dataframe_split": split}, {"dataframe_records": golden.rows}):
        reply = subject.door.post(f"/models/{subject.name}/invocations", body)
        if reply.status != 200:
            return f"{next(iter(body))} was answered {reply.status}: {short(reply)}"
        if complaint := differs(Golden(golden.rows, wanted), reply.body["predictions"]):
            return f"{next(iter(body))}: {complaint}"
    return ""


def _v1(subject: Subject) -> str:
    reply = subject.door.post(f"/v1/models/{subject.name}:predict", {"instances": subject.golden.rows})
    if reply.status != 200:
        return f"answered {reply.status}: {short(reply)}"
    return differs(Golden(subject.golden.rows, subject.golden.prediction), reply.body["predictions"])


def _unknown(subject: Subject) -> str:
    body = {"rows": subject.golden.rows}
    asked = [
        (subject.door.post("/models/no-such-model/predict", body), 404),
        (subject.door.get("/no/such/page"), 404),
        (subject.door.get(f"/models/{subject.name}/predict"), 405),
    ]
    wrong = [f"{reply.status} instead of {status}" for reply, status in asked if reply.status != status]
    return f"an unknown model, page and verb: answered {wrong[0]}" if wrong else ""
