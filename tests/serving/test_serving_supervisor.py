"""The supervisor's promises: convergence, refusals, restarts, the end."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from serving_parts import Running, alive, free_port, plan_for, serve_mixed, serve_numeric

Start = Callable[..., Running]
ROWS = {"rows": [{"age": 50, "size": 3.5}]}


def _answer(running: Running) -> str:
    status, body = running.json("POST", "/models/screening/predict", ROWS)
    assert status == 200, body
    return str(body["model_id"])


def test_it_reports_what_answers_and_ends_cleanly(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), workers=2))
    state = running.state()
    assert state is not None
    assert state.pid == running.process.pid
    assert (state.generation, state.error, state.failed_generation) == (1, None, None)
    assert state.models == ("screening/prod/7",)
    assert len(set(state.workers)) == 2
    assert all(alive(pid) for pid in state.workers)
    assert running.stop() == 0
    assert not any(alive(pid) for pid in state.workers)
    after = running.state()
    assert after is not None
    assert (after.generation, after.workers, after.models) == (0, (), ())


def test_a_new_plan_is_answered_for_by_all(start: Start, tmp_path: Path) -> None:
    first = plan_for(serve_numeric(tmp_path / "p"), workers=2)
    running = start(first)
    workers = running.state()
    second = msgspec.structs.replace(
        first, generation=2, models=(serve_numeric(tmp_path / "q", 8, 1.0), serve_mixed(tmp_path / "r"))
    )
    running.write(second)
    state = running.wait(lambda s: s.generation == 2)
    assert state.models == ("screening/prod/8", "costs/prod/1")
    assert workers is not None
    assert state.workers == workers.workers
    assert {_answer(running) for _ in range(20)} == {"screening/prod/8"}


def test_a_package_that_does_not_load_leaves_all_as_it_was(start: Start, tmp_path: Path) -> None:
    first = plan_for(serve_numeric(tmp_path / "p"), workers=2)
    running = start(first)
    broken = serve_numeric(tmp_path / "q", 8)
    (tmp_path / "q" / "model" / "model.onnx").write_bytes(b"changed")
    running.write(msgspec.structs.replace(first, generation=2, models=(broken,)))
    state = running.wait(lambda s: s.failed_generation == 2)
    assert state.generation == 1
    assert state.models == ("screening/prod/7",)
    assert state.error is not None
    assert "model.onnx" in state.error
    assert {_answer(running) for _ in range(20)} == {"screening/prod/7"}
    running.write(first)
    assert running.wait(lambda s: s.failed_generation is None).generation == 1
    third = msgspec.structs.replace(first, generation=3, models=(serve_numeric(tmp_path / "r", 9, 0.5),))
    running.write(third)
    running.wait(lambda s: s.generation == 3)
    assert _answer(running) == "screening/prod/9"


def test_golden_rows_answered_otherwise_refuse_the_package(start: Start, tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p")
    other = serve_numeric(tmp_path / "q", 8, 2.0)
    (tmp_path / "q" / "golden.json").write_bytes((tmp_path / "p" / "golden.json").read_bytes())
    manifest = tmp_path / "q" / "manifest.json"
    content = (tmp_path / "q" / "golden.json").read_bytes()
    entry = {"path": "golden.json", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    sealed = msgspec.json.decode(manifest.read_bytes())
    sealed["files"].append(entry)
    manifest.write_bytes(msgspec.json.encode(sealed))
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    first = plan_for(model)
    running = start(first)
    wrong = msgspec.structs.replace(other, package=digest)
    running.write(msgspec.structs.replace(first, generation=2, models=(wrong,)))
    state = running.wait(lambda s: s.failed_generation == 2)
    assert state.error is not None
    assert "golden" in state.error


def test_a_first_plan_that_fails_is_reported_and_a_later_one_serves(start: Start, tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p")
    missing = msgspec.structs.replace(model, folder=str(tmp_path / "nowhere"))
    running = start(plan_for(missing), await_generation=False)
    state = running.wait(lambda s: s.failed_generation == 1)
    assert (state.generation, state.models) == (0, ())
    assert running.ask("GET", "/v2/health/ready")[0] == 503
    running.write(msgspec.structs.replace(running.plan, generation=2, models=(model,)))
    running.wait(lambda s: s.generation == 2)
    assert _answer(running) == "screening/prod/7"


def test_a_plan_that_is_no_plan_keeps_the_service(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p")))
    running.plan_path.write_bytes(b"{")
    state = running.wait(lambda s: s.error is not None)
    assert state.generation == 1
    assert _answer(running) == "screening/prod/7"


def test_a_taken_port_is_said_in_one_sentence(start: Start, tmp_path: Path) -> None:
    model = serve_numeric(tmp_path / "p")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running = start(plan_for(model, port=other.getsockname()[1]), await_generation=False)
        assert running.process.wait(10) == 3
    state = running.state()
    assert state is not None
    assert state.failed_generation == 1
    assert state.error is not None
    assert str(running.plan.port) in state.error
    assert running.log.read_text().strip() == state.error


def test_two_supervisors_cannot_share_a_port(start: Start, tmp_path: Path) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"))
    start(plan)
    assert start(plan, await_generation=False).process.wait(10) == 3


def test_nothing_listens_beyond_loopback_without_a_token(start: Start, tmp_path: Path) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"), host="0.0.0.0")
    running = start(plan, await_generation=False)
    assert running.process.wait(10) == 2
    assert "token" in running.log.read_text()


def test_tokens_are_asked_for_and_withdrawn(start: Start, tmp_path: Path) -> None:
    def sha(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    plan = plan_for(serve_numeric(tmp_path / "p"), token_sha256=(sha("one"), sha("two")))
    running = start(plan)

    def ask(token: str | None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return running.ask("POST", "/models/screening/predict", ROWS, headers)[0]

    assert [ask("one"), ask("two"), ask("three"), ask(None), ask("")] == [200, 200, 401, 401, 401]
    assert running.ask("GET", "/models")[0] == 401
    assert running.ask("GET", "/health")[0] == 200
    running.write(msgspec.structs.replace(plan, generation=2, token_sha256=(sha("two"),)))
    running.wait(lambda s: s.generation == 2)
    assert [ask("one"), ask("two")] == [401, 200]


def test_a_killed_worker_comes_back_in_its_slot(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), workers=2))
    state = running.state()
    assert state is not None
    os.kill(state.workers[0], signal.SIGKILL)
    after = running.wait(lambda s: len(s.workers) == 2 and s.workers[0] != state.workers[0])
    assert after.workers[1] == state.workers[1]
    assert {_answer(running) for _ in range(20)} == {"screening/prod/7"}


def test_workers_do_not_outlive_their_supervisor(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), workers=2))
    state = running.state()
    assert state is not None
    running.process.kill()
    running.process.wait()
    until = time.monotonic() + 5
    while any(alive(pid) for pid in state.workers) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in state.workers)


def test_a_drain_answers_what_is_under_way(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p")))
    body = b'{"rows":[{"age":50,"size":3.5}]}'
    head = b"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with running.raw() as busy, running.raw() as idle:
        busy.sendall(head + body[:10])
        time.sleep(0.1)
        running.process.send_signal(signal.SIGTERM)
        assert idle.recv(10) == b""
        busy.sendall(body[10:])
        reply = busy.recv(1 << 16)
        assert reply.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in reply
        assert busy.recv(10) == b""
    assert running.process.wait(5) == 0


def test_the_log_follows_the_plan(start: Start, tmp_path: Path) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"), log=str(tmp_path / "one"))
    running = start(plan)
    _answer(running)
    running.write(msgspec.structs.replace(plan, generation=2, log=str(tmp_path / "two")))
    running.wait(lambda s: s.generation == 2)
    _answer(running)
    assert len(list((tmp_path / "one").glob("*.seg"))) == 1
    assert len(list((tmp_path / "two").glob("*.seg"))) == 1


def test_another_port_needs_a_restart(start: Start, tmp_path: Path) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"))
    running = start(plan)
    running.write(msgspec.structs.replace(plan, generation=2, port=free_port()))
    state = running.wait(lambda s: s.failed_generation == 2)
    assert state.generation == 1
    running.plan = plan
    assert _answer(running) == "screening/prod/7"
