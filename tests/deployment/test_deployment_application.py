"""Application tests: a good service passes them all, and each of them notices a bad one."""

from __future__ import annotations

import contextlib
import http.client
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))

from serving_parts import GOLDEN, MIXED, make_package, plan_for, serve_numeric

from modelyard.deployment import Door, LocalTarget, Subject, application_tests
from modelyard.predictor import verify
from modelyard.records.payload import Payload
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.records.tested import Golden, Outcome, TestKind

TOKEN = "a token that nobody guesses"
KINDS: tuple[TestKind, ...] = ("integration", "functional", "acceptance", "robustness", "security")
GOOD = msgspec.json.decode(json.dumps(GOLDEN), type=Golden)
ROWS = [
    {"age": 40, "smokes": True, "city": "Bern", "seen": "2024-01-02"},
    {"age": None, "smokes": False, "city": "Basel", "seen": "1969-12-31"},
]


def subject(model: ServedModel, door: Door, golden: Golden, *payloads: Payload) -> Subject:
    manifest = verify(Path(model.folder), model.package)
    return Subject(
        door, msgspec.structs.replace(manifest, model=model.model), model.package, golden, payloads
    )


def failed(outcomes: Iterator[Outcome]) -> dict[str, str]:
    return {outcome.name: outcome.sentence for outcome in outcomes if not outcome.passed}


@contextlib.contextmanager
def served(folder: Path, plan: ServicePlan) -> Iterator[Door]:
    with LocalTarget(folder / "services", scratch=folder / "scratch").candidate(plan) as candidate:
        yield Door(candidate.url, token=TOKEN if plan.token_sha256 else None, grpc=candidate.grpc)


def test_a_good_classifier_passes_on_every_protocol_with_tokens(tmp_path: Path) -> None:
    from hashlib import sha256

    model = serve_numeric(tmp_path / "p7")
    secret = sha256(TOKEN.encode()).hexdigest()
    plan = plan_for(model, grpc_port=1, token_sha256=(secret,), rate_limit=1.0)
    payloads = (
        Payload(rows=({"age": 50, "size": 3.5},), prediction=("malignant",)),
        Payload(rows=({"age": 500, "size": 3.5},), status=422, field="age"),
    )
    golden = GOOD
    with served(tmp_path, plan) as door:
        outcomes = list(application_tests(subject(model, door, golden, *payloads), KINDS))
        assert [o for o in outcomes if not o.passed] == []
        names = {o.name for o in outcomes}
        assert {"grpc", "authentication", "payload 2", "open inference protocol, binary"} <= names
        wrong = subject(
            model, door, golden, Payload(rows=({"age": 50, "size": 3.5},), prediction=("benign",))
        )
        assert failed(application_tests(wrong, ["acceptance"])) == {
            "payload 1": "predicted ['malignant'] instead of ['benign']"
        }
        door.token = "0"
        assert "authentication" in failed(application_tests(subject(model, door, golden), ["security"]))


def test_a_good_regression_of_mixed_columns_passes(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p1", schema=MIXED, classes=())
    model = ServedModel(
        model="costs", version=1, model_id="costs/prod/1", package=package, folder=str(tmp_path / "p1")
    )
    with served(tmp_path, plan_for(model, grpc_port=1)) as door:
        reply = door.post("/models/costs/predict", {"rows": ROWS})
        golden = Golden(ROWS, reply.body["prediction"])
        assert failed(application_tests(subject(model, door, golden), KINDS)) == {}


def test_a_column_may_have_any_name(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    assert subject(model, Door("http://127.0.0.1:9"), GOOD).changed(self=1)["self"] == 1


def test_other_answers_than_the_sealed_ones_are_noticed_by_every_protocol(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    golden = msgspec.structs.replace(GOOD, probability=[[0.4, 0.6]])
    with served(tmp_path, plan_for(model, grpc_port=1)) as door:
        found = failed(application_tests(subject(model, door, golden), ["integration", "functional"]))
    assert set(found) == {
        "columns",
        "csv",
        "open inference protocol",
        "open inference protocol, binary",
        "mlflow invocations",
        "grpc",
        "golden predictions",
        "golden predictions, row by row",
    }
    assert "sealed as [0.4, 0.6]" in found["golden predictions"]


def test_another_package_than_the_one_that_is_meant_is_noticed(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    with served(tmp_path, plan_for(model)) as door:
        other = subject(model, door, GOOD)._replace(package="0" * 64)
        assert set(failed(application_tests(other, ["integration"]))) == {"identity"}


class _Always(socketserver.BaseRequestHandler):
    """Answers whatever is asked in the same way."""

    said: bytes

    def handle(self) -> None:
        self.request.settimeout(0.01)
        with contextlib.suppress(OSError):
            while self.request.recv(1 << 20):
                pass
        with contextlib.suppress(OSError):
            self.request.sendall(self.said)


@contextlib.contextmanager
def always(status: int, body: bytes) -> Iterator[Door]:
    said = b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body
    handler = type("Says", (_Always,), {"said": said})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Door(f"http://127.0.0.1:{server.server_address[1]}", token=TOKEN)
        server.shutdown()


def test_no_test_passes_both_a_service_that_says_yes_and_one_that_breaks(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    golden = GOOD
    payload = Payload(rows=({"age": 50, "size": 3.5},), prediction=("malignant",))
    passed: list[set[str]] = []
    for status, body in ((200, b"{}"), (500, b"Traceback (most recent call last)")):
        with always(status, body) as door:
            outcomes = list(application_tests(subject(model, door, golden, payload), KINDS))
        passed.append({outcome.name for outcome in outcomes if outcome.passed})
    assert passed[0] & passed[1] == set()
    assert passed[1] == set()


def test_nothing_there_fails_every_test_and_raises_nothing(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    door = Door("http://127.0.0.1:1", token=TOKEN, grpc="127.0.0.1:1")
    outcomes = list(application_tests(subject(model, door, GOOD), KINDS))
    assert len(outcomes) == 31
    assert [outcome.name for outcome in outcomes if outcome.passed] == []


def test_a_candidate_is_like_the_environment_but_for_its_ports(tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p7")
    plan = plan_for(model, grpc_port=1, workers=2, rate_limit=1.0, log=str(tmp_path / "log"))
    target = LocalTarget(tmp_path / "services", scratch=tmp_path / "scratch")
    with target.candidate(plan, workers=2) as candidate:
        host, _, port = candidate.url.removeprefix("http://").partition(":")
        statuses = [_predict(host, int(port)) for _ in range(5)]
        assert statuses == [200] * 5
        assert candidate.grpc is not None
        assert 20 < candidate.memory_mb() < 2000
    assert not (tmp_path / "log").exists()


def _predict(host: str, port: int) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    body: Any = json.dumps({"rows": GOLDEN["rows"]})
    connection.request("POST", "/models/screening/predict", body)
    status = connection.getresponse().status
    connection.close()
    return status
