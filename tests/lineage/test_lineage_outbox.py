"""Events arrive, or are kept and arrive later; nothing outside fails a verb."""

from __future__ import annotations

import http.server
import json
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.lineage import Outbox, outbox


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test found down is asked anew by the next."""
    monkeypatch.setattr(outbox, "_DOWN", {})


class Endpoint:
    """Takes events, or answers what it is told to."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.status = 201
        taken = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if taken.status < 300:
                    taken.got.append(json.loads(body))
                    taken.tokens.append(self.headers["Authorization"])
                self.send_response(taken.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1/lineage"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()]


def test_a_file_takes_lines(tmp_path: Path) -> None:
    box = Outbox(str(tmp_path / "sub" / "events.jsonl"), tmp_path / "kept")
    assert [box.send({"n": n}) for n in range(3)] == ["", "", ""]
    assert numbers(tmp_path / "sub" / "events.jsonl") == [0, 1, 2]
    assert box.waiting() == 0


def test_an_endpoint_gets_them_with_the_token(tmp_path: Path, endpoint: Endpoint) -> None:
    box = Outbox(endpoint.url, tmp_path / "kept", token="secret")
    assert box.send({"n": 1}) == ""
    assert endpoint.got == [{"n": 1}]
    assert endpoint.tokens == ["Bearer secret"]


def test_what_is_refused_is_kept_and_goes_first_later(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.status = 503
    box = Outbox(endpoint.url, tmp_path / "kept")
    assert box.send({"n": 1}) == "it answered 503"
    assert box.send({"n": 2}) == "it answered 503"
    assert numbers(tmp_path / "kept") == [1, 2]
    endpoint.status = 200
    assert box.send({"n": 3}) == "it answered 503"  # not asked again for a while
    monkeypatch.setattr(outbox, "_PAUSE", 0.0)
    assert box.send({"n": 4}) == ""
    assert [event["n"] for event in endpoint.got] == [1, 2, 3, 4]
    assert box.waiting() == 0


def test_nobody_listens_and_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert "refused" in Outbox(closed, tmp_path / "a").send({"n": 1})
        silent.listen(1)  # it takes the connection and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        assert Outbox(address, tmp_path / "b", timeout=0.2).send({"n": 1})
    assert Outbox("http://no-such-host.invalid/", tmp_path / "c", timeout=0.5).send({"n": 1})
    assert Outbox("http://[bad/", tmp_path / "d").send({"n": 1})
    assert Outbox(str(tmp_path), tmp_path / "e").send({"n": 1})  # a folder
    for name in "abcde":
        assert numbers(tmp_path / name) == [1]


def test_nothing_can_be_written_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    box = Outbox(str(tmp_path / "file" / "events"), tmp_path / "file" / "kept")
    assert box.send({"n": 1})
    assert box.waiting() == 0


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_MOST", 3)
    box = Outbox(str(tmp_path), tmp_path / "kept")
    for n in range(5):
        box.send({"n": n})
    assert numbers(tmp_path / "kept") == [2, 3, 4]


def _many(to: str, kept: Path, first: int) -> None:
    for n in range(first, first + 200):
        Outbox(to, kept).send({"n": n, "room": "x" * 2000})


def test_two_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [
        context.Process(target=_many, args=(str(tmp_path / "events"), tmp_path / "kept", first))
        for first in (0, 200)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(numbers(tmp_path / "events")) == list(range(400))
