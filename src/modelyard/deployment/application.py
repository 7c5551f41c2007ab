"""Tests of a candidate's service through its own door, before any traffic is switched.

Contract (health, metadata, both surfaces), golden predictions, the model's own payloads, and
robustness (malformed, incomplete and oversized requests get a 4xx that names the field).
"""

from __future__ import annotations

import http.client
import json
import math
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modelyard.errors import ServiceDown
from modelyard.records.package import Manifest
from modelyard.records.payload import Payload

_TOLERANCE = 1e-6


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One application test; ``sentence`` says what was seen when it failed."""

    name: str
    passed: bool
    sentence: str = ""


class Golden(msgspec.Struct, frozen=True):
    """Rows with the answers that the package was sealed with."""

    rows: list[dict[str, Any]]
    prediction: list[Any]
    probability: list[list[float]] | None = None
    quantiles: list[list[float]] | None = None


def application_tests(
    url: str, manifest: Manifest, *, golden: Golden, payloads: Sequence[Payload], token: str | None = None
) -> tuple[Outcome, ...]:
    """Run every test against the service at ``url``; all are tried, none stops the others."""
    door = _Door(url, token)
    trials: list[tuple[str, Callable[[], str]]] = [
        ("health", lambda: _health(door)),
        ("metadata", lambda: _metadata(door, manifest)),
        ("golden predictions", lambda: _golden(door, manifest, golden)),
        ("open inference protocol", lambda: _open_inference(door, manifest, golden)),
        ("malformed request", lambda: _malformed(door, manifest)),
        ("missing field", lambda: _missing_field(door, manifest, golden)),
        ("unknown field", lambda: _unknown_field(door, manifest, golden)),
    ]
    for at, payload in enumerate(payloads, start=1):
        trials.append((f"payload {at}", lambda payload=payload: _payload(door, manifest, payload)))  # type: ignore[misc]
    return tuple(_try(name, trial) for name, trial in trials)


def _try(name: str, trial: Callable[[], str]) -> Outcome:
    try:
        complaint = trial()
    except (OSError, http.client.HTTPException, ServiceDown, KeyError, TypeError, ValueError) as error:
        complaint = f"{type(error).__name__}: {error}"
    return Outcome(name=name, passed=not complaint, sentence=complaint)


class _Door:
    def __init__(self, url: str, token: str | None) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask("GET", path, None)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self._ask("POST", path, content)

    def _ask(self, verb: str, path: str, body: bytes | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        try:
            connection.request(verb, path, body, {**self._headers, "Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            try:
                return answer.status, json.loads(content) if content.strip() else None
            except json.JSONDecodeError:
                return answer.status, content.decode(errors="replace")
        finally:
            connection.close()


def _health(door: _Door) -> str:
    for path in ("/health", "/v2/health/live", "/v2/health/ready"):
        status, _ = door.get(path)
        if status != 200:
            return f"GET {path} answered {status}"
    return ""


def _metadata(door: _Door, manifest: Manifest) -> str:
    status, body = door.get(f"/v2/models/{manifest.model}")
    if status != 200:
        return f"metadata answered {status}: {body}"
    served = [i["name"] for i in body["inputs"]]
    wanted = [c.name for c in manifest.schema.features]
    if served not in (wanted, ["input"]):
        return f"metadata lists inputs {served}, the schema {wanted}"
    return ""


def _golden(door: _Door, manifest: Manifest, golden: Golden) -> str:
    status, body = door.post(f"/models/{manifest.model}/predict", {"rows": golden.rows})
    if status != 200:
        return f"the golden rows were answered with {status}: {body}"
    return _differs(golden, body["prediction"], body.get("probability"), body.get("quantiles"))


def _differs(
    golden: Golden,
    prediction: list[Any],
    probability: list[list[float]] | None,
    quantiles: list[list[float]] | None,
) -> str:
    if len(prediction) != len(golden.rows):
        return f"{len(golden.rows)} rows got {len(prediction)} answers"
    for row, (wanted, got) in enumerate(zip(golden.prediction, prediction, strict=True)):
        same = _close(wanted, got) if isinstance(wanted, float) else wanted == got
        if not same:
            return f"golden row {row} was answered {got!r}, sealed as {wanted!r}"
    for name, sealed, given in (
        ("probability", golden.probability, probability),
        ("quantiles", golden.quantiles, quantiles),
    ):
        if sealed is not None and given is None:
            return f"the answer has no {name}"
        for row, (wants, gets) in enumerate(zip(sealed or [], given or [], strict=True)):
            if not all(_close(w, g) for w, g in zip(wants, gets, strict=True)):
                return f"golden row {row} has {name} {gets}, sealed as {wants}"
    return ""


def _close(wanted: float, got: float) -> bool:
    return math.isclose(wanted, got, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _open_inference(door: _Door, manifest: Manifest, golden: Golden) -> str:
    whole = [i for i, row in enumerate(golden.rows) if None not in row.values()]
    if not whole:
        return ""  # a V2 tensor has no null: nothing that this surface could be asked
    golden = Golden(
        [golden.rows[i] for i in whole],
        [golden.prediction[i] for i in whole],
        [golden.probability[i] for i in whole] if golden.probability is not None else None,
        [golden.quantiles[i] for i in whole] if golden.quantiles is not None else None,
    )
    inputs = _tensors(manifest, golden.rows)
    status, body = door.post(f"/v2/models/{manifest.model}/infer", {"inputs": inputs})
    if status != 200:
        return f"infer answered {status}: {body}"
    outputs = {o["name"]: o for o in body["outputs"]}
    prediction = outputs["prediction"]["data"]
    probability, quantiles = (_matrix(outputs.get(name)) for name in ("probability", "quantiles"))
    if manifest.task != "regression" and outputs["prediction"]["datatype"] == "BOOL":
        prediction = [bool(p) for p in prediction]
    return _differs(golden, prediction, probability, quantiles)


def _matrix(output: dict[str, Any] | None) -> list[list[float]] | None:
    if output is None:
        return None
    flat, width = output["data"], output["shape"][1]
    return [flat[i : i + width] for i in range(0, len(flat), width)]


def _tensors(manifest: Manifest, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = {"integer": "INT64", "float": "FP64", "boolean": "BOOL"}
    return [
        {
            "name": column.name,
            "shape": [len(rows)],
            "datatype": kinds.get(column.kind, "BYTES"),
            "data": [row.get(column.name) for row in rows],
        }
        for column in manifest.schema.features
    ]


def _malformed(door: _Door, manifest: Manifest) -> str:
    for body in (b'{"rows": [', b"", b"[]", b'{"rows": "many"}', b"\xff\xfe"):
        status, answer = door.post(f"/models/{manifest.model}/predict", body)
        if not 400 <= status < 500:
            return f"{body!r} was answered {status}: {answer}"
    return ""


def _missing_field(door: _Door, manifest: Manifest, golden: Golden) -> str:
    name = manifest.schema.features[0].name
    row = {k: v for k, v in golden.rows[0].items() if k != name}
    return _refused(door, manifest, row, name)


def _unknown_field(door: _Door, manifest: Manifest, golden: Golden) -> str:
    return _refused(door, manifest, {**golden.rows[0], "no such field": 1}, "no such field")


def _refused(door: _Door, manifest: Manifest, row: dict[str, Any], field: str) -> str:
    status, body = door.post(f"/models/{manifest.model}/predict", {"rows": [row]})
    if not 400 <= status < 500:
        return f"a row without a good '{field}' was answered {status}"
    named = body["error"].get("field")
    return "" if named == field else f"the error names {named!r} instead of '{field}'"


def _payload(door: _Door, manifest: Manifest, payload: Payload) -> str:
    status, body = door.post(f"/models/{manifest.model}/predict", {"rows": payload.rows})
    if status != payload.status:
        return f"answered {status} instead of {payload.status}: {body}"
    if payload.prediction is not None and body.get("prediction") != list(payload.prediction):
        return f"predicted {body.get('prediction')} instead of {list(payload.prediction)}"
    if payload.field is not None and body["error"].get("field") != payload.field:
        return f"the error names {body['error'].get('field')!r} instead of {payload.field!r}"
    return ""
