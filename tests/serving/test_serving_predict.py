"""What a service answers on its own surface."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from serving_parts import Running

from modelyard.predictions.reader import read
from modelyard.wire.native import read_answer

ROW = {"age": 50, "size": 3.5}
PATIENT = {"age": None, "smokes": True, "city": "Bern", "seen": "2026-01-01"}


def test_a_classifier_answers_in_the_documented_form(service: Running) -> None:
    status, headers, content = service.ask("POST", "/models/screening/predict", {"rows": [ROW, ROW]})
    answer = read_answer(content)
    likely = 1 / (1 + math.exp(-0.535))
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert (answer.status, answer.model_id) == ("ok", "screening/prod/7")
    assert answer.prediction == ["malignant", "malignant"]
    assert answer.classes == ["benign", "malignant"]
    assert answer.probability is not None
    assert answer.probability[0] == pytest.approx([1 - likely, likely])
    assert list(json.loads(content)) == [
        "status",
        "model_id",
        "request_id",
        "prediction",
        "probability",
        "classes",
    ]


def test_a_regression_answers_numbers_alone(service: Running) -> None:
    status, body = service.json("POST", "/models/costs/predict", {"rows": [PATIENT]})
    assert status == 200
    assert body["prediction"] == pytest.approx([0.01 * (1 + 20454)])
    assert set(body) == {"status", "model_id", "request_id", "prediction"}


def test_ids_are_issued_here_and_a_clients_is_echoed(service: Running) -> None:
    replies = [
        service.ask("POST", "/models/screening/predict", {"rows": [ROW]}, {"X-Request-ID": "mine-1"})
        for _ in range(2)
    ]
    ids = {json.loads(content)["request_id"] for _, _, content in replies}
    assert len(ids) == 2
    assert "mine-1" not in ids
    assert all(headers["x-request-id"] == "mine-1" for _, headers, _ in replies)


@pytest.mark.parametrize(
    ("model", "row", "field"),
    [
        ("screening", {"age": "x", "size": 1.0}, "age"),
        ("screening", {"age": 1.5, "size": 1.0}, "age"),
        ("screening", {"age": 200, "size": 1.0}, "age"),
        ("screening", {"age": None, "size": 1.0}, "age"),
        ("screening", {"size": 1.0}, "age"),
        ("screening", {"age": 1, "size": 1.0, "more": 1}, "more"),
        ("screening", {"age": 1, "size": True}, "size"),
        ("costs", {**PATIENT, "city": "Genf"}, "city"),
        ("costs", {**PATIENT, "smokes": 1}, "smokes"),
        ("costs", {**PATIENT, "seen": "yesterday"}, "seen"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_field(
    service: Running, model: str, row: dict[str, Any], field: str
) -> None:
    status, body = service.json("POST", f"/models/{model}/predict", {"rows": [row]})
    assert status == 422
    assert body["status"] == "error"
    assert body["error"]["code"] == "invalid_row"
    assert body["error"]["field"] == field
    assert field in body["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"rows":1}',
        b'{"rows":[]}',
        b'{"row":[]}',
        b"\xff\xfe",
        b"[" * 100000,
        b'{"rows":[1]}',
        b'{"rows":[' + b'{"age":' * 5000 + b"]}",
    ],
)
def test_a_malformed_body_is_a_client_error_and_the_connection_lives(service: Running, body: bytes) -> None:
    status, answer = service.json("POST", "/models/screening/predict", body)
    assert status in (400, 422)
    assert answer["status"] == "error"
    assert service.json("POST", "/models/screening/predict", {"rows": [ROW]})[0] == 200


def test_what_was_only_inferred_is_counted_not_refused(service: Running) -> None:
    def marked() -> float:
        text = service.ask("GET", "/metrics")[2].decode()
        name = 'model_infer_marked_values_total{model="screening",version="7"} '
        return float(text.split(name)[1].split("\n")[0])

    before = marked()
    assert service.json("POST", "/models/screening/predict", {"rows": [{"age": 50, "size": 99.0}]})[0] == 200
    assert marked() == before + 1


def test_too_many_rows_are_refused(service: Running) -> None:
    status, body = service.json("POST", "/models/screening/predict", {"rows": [ROW] * 10_001})
    assert status == 400
    assert "10000" in body["error"]["message"]


def test_unknown_models_paths_and_verbs(service: Running) -> None:
    status, body = service.json("POST", "/models/other/predict", {"rows": [ROW]})
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert "costs, screening" in body["error"]["message"]
    assert service.json("GET", "/nowhere")[0] == 404
    status, headers, _ = service.ask("GET", "/models/screening/predict")
    assert (status, headers["allow"]) == (405, "POST")


def test_pages_of_other_sites_may_not_post_to_an_open_service(service: Running) -> None:
    def ask(origin: str, **headers: str) -> int:
        headers["Origin"] = origin
        return service.ask("POST", "/models/screening/predict", {"rows": [ROW]}, headers)[0]

    assert ask("https://example.com") == 403
    assert ask("null") == 403
    assert ask(f"http://127.0.0.1:{service.plan.port}") == 200
    for name in ("localhost", "127.0.0.1:80", "127.0.0.1", "[::1]", "[::1]:8000"):
        assert ask(f"http://{name}", Host=name) == 200
    for name in ("rebound.example.com:8103", "127.0.0.1.example.com", "localhost.example.com"):
        assert ask(f"http://{name}", Host=name) == 403


def test_the_small_surfaces(service: Running) -> None:
    assert service.ask("GET", "/ping")[0] == 200
    assert service.json("GET", "/health") == (200, {"status": "ok", "models": ["costs", "screening"]})
    assert service.json("GET", "/version")[1]["name"] == "modelyard"
    listed = service.json("GET", "/models")[1]["models"]
    assert {m["model_id"] for m in listed} == {"screening/prod/7", "costs/prod/1"}
    status, headers, content = service.ask("HEAD", "/health")
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_the_typed_document_says_the_schema_and_an_example(service: Running) -> None:
    document = service.json("GET", "/openapi.json")[1]
    post = document["paths"]["/models/screening/predict"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    assert content["example"] == {"rows": [ROW]}
    row = document["components"]["schemas"]["screening-row"]
    assert row["properties"]["age"] == {"type": "integer", "minimum": 0, "maximum": 120}
    assert document["components"]["schemas"]["costs-row"]["properties"]["age"]["type"] == ["integer", "null"]
    page = service.ask("GET", "/docs")[2].decode()
    assert "screening" in page
    assert "http" not in page.replace("http-equiv", "")


def test_every_answer_is_in_the_log_before_it_is_seen(service: Running) -> None:
    _, answer = service.json("POST", "/models/screening/predict", {"rows": [ROW, ROW]})
    assert service.plan.log is not None
    (logged,) = [f for f in read(Path(service.plan.log)) if answer["request_id"].encode() in f.ids]
    assert logged.model.model_id == "screening/prod/7"
    assert logged.numbers.tolist() == [[50, 3.5], [50, 3.5]]
    assert list(logged.prediction) == answer["prediction"]
