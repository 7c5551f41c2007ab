"""Large requests part by part, streamed answers, and deadlines."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_parts import Predict, altered, exchange, serving

from modelyard.errors import AuthorError, StoreDown
from modelyard.predictions.memory import MemorySink
from modelyard.predictor import Answers
from modelyard.serving.limits import Limits
from modelyard.tables.batch import Batch

LIMITS = Limits(large=2000, part=40, large_pending=2, answer_seconds=5)
ROWS = [{"age": at % 100, "size": 3.5} for at in range(130)]
OK = b"HTTP/1.1 200"


def request(rows: list[dict[str, Any]], *headers: str, path: str = "/models/screening/predict") -> bytes:
    body = json.dumps({"rows": rows}).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


SMALL = request(ROWS[:1])
LARGE = request(ROWS)


def answer(reply: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(reply.partition(b"\r\n\r\n")[2])
    return told


def chunks(reply: bytes) -> bytes:
    """The body of a chunked reply."""
    head, _, rest = reply.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest.startswith(b"\r\n")
            return body
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]


def test_a_large_request_is_answered_as_its_rows_one_by_one(tmp_path: Path) -> None:
    log = MemorySink()

    async def run() -> tuple[bytes, list[bytes]]:
        async with serving(tmp_path, limits=LIMITS, log=log) as (_, port):
            large = await exchange(port, LARGE, until=b'"classes"')
            small = [await exchange(port, request([row]), until=b'"classes"') for row in ROWS[:100:25]]
            return large, small

    large, small = asyncio.run(run())
    told = answer(large)
    assert len(told["prediction"]) == 130
    for at, one in zip(range(0, 100, 25), small, strict=True):
        assert told["probability"][at] == pytest.approx(answer(one)["probability"][0])
    rows = [entry for entry in log.frames if len(entry.batch) == 130]
    assert len(rows) == 1
    assert rows[0].counts == [130]


@pytest.mark.parametrize("native", [False, True])
def test_small_requests_do_not_wait_for_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    """The large one's second part is held back until a small one has been answered."""
    small_done, parts = threading.Event(), []

    def held(own: Predict, batch: Batch) -> Answers:
        if len(batch) > 1:
            parts.append(len(batch))
            if len(parts) == 2 and not native:
                assert small_done.wait(5)
        return own(batch)

    altered(monkeypatch, held)

    async def run() -> tuple[bytes, bytes]:
        async with serving(tmp_path, limits=LIMITS, native=native) as (_, port):
            asking = asyncio.create_task(exchange(port, LARGE, until=b'"classes"'))
            while not parts:
                await asyncio.sleep(0.005)
            small = await exchange(port, SMALL, until=b'"classes"')
            small_done.set()
            return small, await asking

    small, large = asyncio.run(run())
    assert small.startswith(OK)
    assert large.startswith(OK)
    assert parts == [40, 40, 40, 10]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "text/event-stream"])
def test_an_answer_is_streamed_part_by_part(tmp_path: Path, kind: str) -> None:
    log = MemorySink()

    async def run() -> tuple[bytes, bytes]:
        async with serving(tmp_path, limits=LIMITS, log=log) as (_, port):
            whole = await exchange(port, LARGE, until=b'"classes"')
            asked = request(ROWS, f"Accept: {kind}", "X-Request-Id: mine")
            return whole, await exchange(port, asked, until=b"\r\n0\r\n\r\n")

    whole, streamed = asyncio.run(run())
    assert f"content-type: {kind}".encode() in streamed
    assert b"x-request-id: mine" in streamed
    ends = "\n\n" if kind == "text/event-stream" else "\n"
    lines = [line.removeprefix("data: ") for line in chunks(streamed).decode().split(ends) if line]
    told = [json.loads(line) for line in lines]
    assert [len(one["prediction"]) for one in told] == [40, 40, 40, 10]
    assert [p for one in told for p in one["probability"]] == answer(whole)["probability"]
    assert len({one["request_id"] for one in told}) == 4
    logged = [entry for entry in log.frames if len(entry.batch) < 130]
    assert [entry.counts for entry in logged] == [[40], [40], [40], [10]]


def test_streams_keep_their_place_among_pipelined_requests(tmp_path: Path) -> None:
    streaming = request(ROWS[:90], "Accept: application/x-ndjson")

    async def run() -> bytes:
        async with serving(tmp_path, limits=Limits(large=2000, part=40)) as (_, port):
            return await exchange(port, LARGE + streaming + SMALL + streaming, until=b"HTTP/1.1 200")

    data = asyncio.run(run())
    replies = data.split(b"HTTP/1.1 ")[1:]
    assert [b"chunked" in reply for reply in replies[:3]] == [False, True, False]
    assert len(answer(replies[0])["prediction"]) == 130
    assert chunks(replies[1]).count(b'"status":"ok"') == 3


def test_a_stream_that_does_not_fit_is_refused_and_one_that_fails_says_so_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(own: Predict, batch: Batch) -> Answers:
        if np.any(batch.numbers[:, 0] == 77):
            raise AuthorError("The model does not like 77.")
        return own(batch)

    altered(monkeypatch, picky)
    lines = "Accept: application/x-ndjson"

    async def run() -> tuple[bytes, bytes, bytes]:
        async with serving(tmp_path, limits=LIMITS) as (_, port):
            bad = await exchange(port, request([{"age": 500, "size": 1}], lines), until=b"}}")
            failed = await exchange(port, request(ROWS, lines), until=b"\r\n0\r\n\r\n")
            whole = await exchange(port, LARGE, until=b"}}")
            return bad, failed, whole

    bad, failed, whole = asyncio.run(run())
    assert bad.startswith(b"HTTP/1.1 422")
    told = [json.loads(line) for line in chunks(failed).splitlines()]
    assert [one["status"] for one in told] == ["ok", "error"]
    assert "77" in told[1]["error"]["message"]
    assert whole.startswith(b"HTTP/1.1 500")


def test_too_many_large_requests_get_429(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def held(own: Predict, batch: Batch) -> Answers:
        if len(batch) > 1:
            gate.wait(5)
        return own(batch)

    altered(monkeypatch, held)

    async def run() -> bytes:
        async with serving(tmp_path, limits=LIMITS) as (_, port):
            asyncio.get_running_loop().call_later(0.2, gate.set)
            return await exchange(port, LARGE * 6, until=b"HTTP/1.1 ")

    data = asyncio.run(run())
    assert data.count(OK) >= 2
    assert data.count(b"HTTP/1.1 429") >= 3
    assert data.count(b"retry-after: 5") == data.count(b"HTTP/1.1 429")


def test_what_is_not_logged_is_not_given(tmp_path: Path) -> None:
    class Full(MemorySink):
        def flush(self, *, fsync: bool = False) -> None:  # noqa: ARG002
            raise StoreDown("The disk is full.")

    async def run() -> tuple[bytes, bytes]:
        async with serving(tmp_path, limits=LIMITS, log=Full()) as (_, port):
            whole = await exchange(port, LARGE, until=b"}}")
            lines = "Accept: application/x-ndjson"
            return whole, await exchange(port, request(ROWS, lines), until=b"}}")

    for reply in asyncio.run(run()):
        assert reply.startswith(b"HTTP/1.1 503")


def test_a_client_that_goes_or_does_not_read_stops_its_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(own: Predict, batch: Batch) -> Answers:
        asked.append(len(batch))
        time.sleep(0.01)
        return own(batch)

    altered(monkeypatch, counting)
    limits = Limits(large=2000, part=1)

    async def run() -> int:
        async with serving(tmp_path, limits=limits) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(ROWS, "Accept: application/x-ndjson"))
            while len(asked) < 5:
                await asyncio.sleep(0.01)
            writer.transport.abort()
            await exchange(port, SMALL, until=b'"classes"')
            await asyncio.sleep(0.1)
            seen = len(asked)
            await asyncio.sleep(0.2)
            assert len(asked) == seen
            return seen

    assert asyncio.run(run()) < 130


@pytest.mark.parametrize("rows", [1, 130])
def test_a_deadline_is_kept_and_the_connection_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    gate = threading.Event()

    def held(own: Predict, batch: Batch) -> Answers:
        if threading.current_thread() is not threading.main_thread():
            gate.wait(5)
        return own(batch)

    altered(monkeypatch, held)
    hurried = request(ROWS[:rows], "X-Request-Timeout: 0.1")

    async def run() -> bytes:
        async with serving(tmp_path, limits=LIMITS, native=True) as (_, port):
            asyncio.get_running_loop().call_later(0.4, gate.set)
            return await exchange(port, hurried + SMALL, until=b"HTTP/1.1 ")

    data = asyncio.run(run())
    assert data.startswith(b"HTTP/1.1 504")
    assert b"within 0.1 s" in data
    assert data.count(OK) == 1


@pytest.mark.parametrize("seconds", ["x", "0", "-1", "nan", "99999"])
def test_a_deadline_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    async def run() -> bytes:
        async with serving(tmp_path, limits=LIMITS) as (_, port):
            return await exchange(port, request(ROWS[:1], f"X-Request-Timeout: {seconds}"), until=b"}}")

    assert asyncio.run(run()).startswith(b"HTTP/1.1 400")
