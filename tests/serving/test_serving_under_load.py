"""What clients see while versions switch and workers die."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
from serving_parts import Running, plan_for, serve_numeric

from modelyard.predictions.reader import read

Start = Callable[..., Running]
BODY = b'{"rows":[{"age":50,"size":3.5}]}'
REQUEST = (
    b"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


class Load:
    """Clients in threads, each a loop of requests on connections that live for ``life`` requests."""

    def __init__(self, port: int, *, clients: int, life: int) -> None:
        self.answered: Counter[str] = Counter()
        self.ids: list[str] = []
        self.errors: list[str] = []
        self._port, self._life = port, life
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _client(self) -> None:
        while not self._end.is_set():
            try:
                self._connection()
            except OSError as error:
                self.errors.append(repr(error))

    def _connection(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as sock:
            for _ in range(self._life):
                sock.sendall(REQUEST)
                reply = sock.recv(4096)
                if not reply.startswith(b"HTTP/1.1 200"):
                    self.errors.append(repr(reply[:200]))
                    return
                head, _, body = reply.partition(b"\r\n\r\n")
                answer = msgspec.json.decode(body)
                self.answered[answer["model_id"]] += 1
                self.ids.append(answer["request_id"])
                if b"connection: close" in head or self._end.is_set():
                    return

    def stop(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(20)


def test_switching_fails_no_request(start: Start, tmp_path: Path) -> None:
    models = [serve_numeric(tmp_path / f"p{i}", 7 + i, i / 10) for i in range(2)]
    plan = plan_for(models[0], workers=2, log=str(tmp_path / "log"))
    running = start(plan)
    load = Load(plan.port, clients=4, life=20)
    try:
        for turn in range(2, 14):
            running.write(msgspec.structs.replace(plan, generation=turn, models=(models[turn % 2],)))
            running.wait(lambda s, turn=turn: s.generation == turn)
            time.sleep(0.05)
    finally:
        load.stop()
    assert load.errors == []
    assert load.answered.total() > 1000
    assert set(load.answered) == {"screening/prod/7", "screening/prod/8"}
    running.stop()
    logged: Counter[bytes] = Counter()
    by_model: Counter[str] = Counter()
    for frame in read(tmp_path / "log"):
        logged.update(frame.ids)
        by_model[frame.model.model_id] += len(frame.ids)
    assert set(logged) >= {i.encode() for i in load.ids}
    assert max(logged.values()) == 1
    assert by_model["screening/prod/7"] >= load.answered["screening/prod/7"]


def test_a_killed_worker_costs_only_its_own_connections_and_no_logged_answer(
    start: Start, tmp_path: Path
) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"), workers=2, log=str(tmp_path / "log"))
    running = start(plan)
    clients = 4
    load = Load(plan.port, clients=clients, life=10_000)
    kills = 0
    try:
        for _ in range(3):
            time.sleep(0.2)
            before = running.state()
            assert before is not None
            os.kill(before.workers[0], signal.SIGKILL)
            kills += 1
            running.wait(lambda s, old=before.workers[0]: len(s.workers) == 2 and old not in s.workers)
        time.sleep(0.3)
    finally:
        load.stop()
    assert len(load.errors) <= kills * clients
    assert load.answered.total() > 500
    running.stop()
    logged = {i for frame in read(tmp_path / "log") for i in frame.ids}
    assert logged >= {i.encode() for i in load.ids}


def test_counts_survive_the_worker_and_sum_over_all(start: Start, tmp_path: Path) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), workers=2))
    for _ in range(30):
        assert running.ask("POST", "/models/screening/predict", BODY)[0] == 200
    state = running.state()
    assert state is not None
    os.kill(state.workers[0], signal.SIGKILL)
    running.wait(lambda s: len(s.workers) == 2 and s.workers[0] != state.workers[0])
    text = running.ask("GET", "/metrics")[2].decode()
    labels = 'model="screening",version="7"'
    assert f"model_infer_request_success_total{{{labels}}} 30\n" in text
    assert f"model_infer_rows_total{{{labels}}} 30\n" in text
    assert f'model_infer_request_duration_bucket{{{labels},le="+Inf"}} 30\n' in text
    assert f"model_infer_request_duration_count{{{labels}}} 30\n" in text
