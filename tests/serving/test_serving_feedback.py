"""Outcomes over HTTP: what is kept, what is refused and why, and who may tell them."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving_parts import Running, alive, plan_for, serve_numeric

from modelyard.predictions import read_outcomes
from modelyard.records.outcome import Outcome

PATH = "/models/screening/feedback"


def kept(running: Running, model: str = "screening") -> list[Outcome]:
    assert running.plan.log is not None
    told = [t for t in read_outcomes(Path(running.plan.log)) if t.model == model]
    return [outcome for each in sorted(told, key=lambda t: t.at) for outcome in each.outcomes]


def test_an_outcome_is_kept_under_the_id_that_the_prediction_gave(service: Running) -> None:
    _, answer = service.json("POST", "/models/screening/predict", {"rows": [{"age": 50, "size": 3.5}]})
    told = {
        "request_id": answer["request_id"],
        "outcome": "benign",
        "at": "2026-03-01T12:00:00+01:00",
    }
    assert service.json("POST", PATH, told) == (200, {"status": "ok", "model": "screening", "accepted": 1})
    assert kept(service)[-1] == Outcome(answer["request_id"], "benign", at=1772362800.0)


def test_many_at_once_by_either_id_and_row(service: Running) -> None:
    told = [
        {"request_id": "a", "outcome": "benign"},
        {"request_id": "a", "row": 1, "outcome": "malignant"},
        {"client_id": "mine", "outcome": "malignant"},
    ]
    status, said = service.json("POST", PATH, {"outcomes": told})
    assert (status, said["accepted"]) == (200, 3)
    assert kept(service)[-3:] == [
        Outcome("a", "benign"),
        Outcome("a", "malignant", row=1),
        Outcome("mine", "malignant", by="client_id"),
    ]


def test_a_regression_takes_finite_numbers(service: Running) -> None:
    path = "/models/costs/feedback"
    assert service.json("POST", path, {"request_id": "a", "outcome": 12})[0] == 200
    assert kept(service, "costs")[-1] == Outcome("a", 12.0)
    for value in (b"1e999", b'"12"', b"true", b"null", b"[1]", b"1" * 400):
        status, _, content = service.ask("POST", path, b'{"request_id":"a","outcome":%b}' % value)
        assert status == 422, content
        assert b'"field":"outcome"' in content


@pytest.mark.parametrize(
    ("body", "status", "field", "said"),
    [
        (b"", 400, None, "JSON"),
        (b"{", 400, None, "JSON"),
        (b"[1]", 400, None, "object"),
        (b'\xff{"request_id":"a"}', 400, None, "JSON"),
        (b'{"outcomes": []}', 400, "outcomes", "empty"),
        (b'{"outcomes": {"request_id": "a"}}', 400, "outcomes", "array"),
        (b'{"outcomes": [], "model": "x"}', 400, "model", "unknown field"),
        (b'{"request_id": "a"}', 422, "outcome", "missing"),
        (b'{"outcome": "benign"}', 422, "request_id", "client_id"),
        (b'{"outcome": "benign", "request_id": "a", "client_id": "b"}', 422, "request_id", "not both"),
        (b'{"outcome": "benign", "request_id": ""}', 422, "request_id", "length"),
        (b'{"outcome": "benign", "request_id": 7}', 422, "request_id", "str"),
        (b'{"outcome": "benign", "request_id": "a", "row": -1}', 422, "row", ">= 0"),
        (b'{"outcome": "benign", "request_id": "a", "row": 1.5}', 422, "row", "multiple of 1"),
        (b'{"outcome": "benign", "request_id": "a", "row": "1"}', 422, "row", "str"),
        (b'{"outcome": "benign", "request_id": null}', 422, "request_id", "null"),
        (b'{"outcome": "benign", "request_id": "a", "at": "2026-01-01"}', 422, "at", "RFC3339"),
        (b'{"outcome": "benign", "request_id": "a", "at": "2026-01-01T00:00:00"}', 422, "at", "timezone"),
        (b'{"outcome": "benign", "request_id": "a", "rows": 1}', 422, "rows", "unknown field"),
        (b'{"outcome": "Benign", "request_id": "a"}', 422, "outcome", "none of the model's classes"),
        (b'{"outcome": null, "request_id": "a"}', 422, "outcome", "None"),
        (
            b'{"outcomes": [{"outcome": "benign", "request_id": "a"}, {"outcome": 1, "request_id": "a"}]}',
            422,
            "outcome",
            "Outcome 1 of the request",
        ),
        (
            b'{"outcomes": [{"outcome": "benign", "request_id": "a"}, {"outcome": "benign", "row": "x"}]}',
            422,
            "row",
            "Outcome 1 of the request",
        ),
        (b'{"outcomes": [' + b'{"outcome":"benign","request_id":"a"},' * 10_000, 400, None, "JSON"),
    ],
)
def test_what_is_no_outcome_is_refused_by_place_and_field_and_nothing_kept(
    service: Running, body: bytes, status: int, field: str | None, said: str
) -> None:
    before = len(kept(service))
    answered, error = service.json("POST", PATH, body)
    assert (answered, error["error"].get("field")) == (status, field), error
    assert said in error["error"]["message"]
    assert len(kept(service)) == before


def test_bounds_verbs_and_strangers(service: Running) -> None:
    told = b'{"outcome":"benign","request_id":"a"}'
    too_many = b'{"outcomes":[' + b",".join([told] * 10_001) + b"]}"
    assert service.ask("POST", PATH, too_many)[0] == 413
    assert service.ask("GET", PATH)[0] == 405
    assert service.ask("POST", "/models/nobody/feedback", told)[0] == 404
    deep = b'{"request_id":"a","outcome":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert service.ask("POST", PATH, deep)[0] in (400, 422)
    assert service.ask("POST", PATH, told)[0] == 200


def test_no_page_of_another_site_and_no_other_name_tells_outcomes(service: Running) -> None:
    told = {"outcome": "benign", "request_id": "a"}
    port = service.plan.port
    for headers in (
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
    ):
        assert service.ask("POST", PATH, told, headers)[0] in (400, 403), headers
    for host in ("localhost", f"127.0.0.1:{port}", "[::1]"):
        assert service.ask("POST", PATH, told, {"Host": host})[0] == 200, host


def test_with_tokens_whoever_has_one_may_by_any_name(tmp_path: Path, start: Callable[..., Running]) -> None:
    token = hashlib.sha256(b"secret").hexdigest()
    plan = plan_for(serve_numeric(tmp_path / "p"), token_sha256=(token,), log=str(tmp_path / "log"))
    running = start(plan)
    told = {"outcome": "benign", "request_id": "a"}
    assert running.ask("POST", PATH, told)[0] == 401
    headers = {"Authorization": "Bearer secret", "Host": "models.example.org"}
    assert running.ask("POST", PATH, told, headers)[0] == 200


def test_without_a_log_nothing_is_taken(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p")))
    status, error = running.json("POST", PATH, {"outcome": "benign", "request_id": "a"})
    assert (status, error["error"]["code"]) == (501, "unsupported")


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), log=str(tmp_path / "log")))
    acknowledged: list[str] = []
    for number in range(60):
        if number % 20 == 10:
            state = running.state()
            assert state is not None
            os.kill(state.workers[0], signal.SIGKILL)
            while alive(state.workers[0]):
                time.sleep(0.005)
        told = {"outcome": "benign", "request_id": f"{number}"}
        try:
            status = running.ask("POST", PATH, told)[0]
        except OSError:
            continue
        if status == 200:
            acknowledged.append(f"{number}")
    assert len(acknowledged) > 30
    assert set(acknowledged) <= {outcome.id for outcome in kept(running)}


def test_the_document_types_the_outcome(service: Running) -> None:
    paths: dict[str, Any] = service.json("GET", "/openapi.json")[1]["paths"]
    body = paths[PATH]["post"]["requestBody"]["content"]["application/json"]["schema"]
    one = body["oneOf"][0]["properties"]["outcome"]
    assert one == {"type": "string", "enum": ["benign", "malignant"]}
