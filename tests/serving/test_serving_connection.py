"""Deadlines, queues and models that fail, in one loop with short limits."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from loop_parts import SHORT, Predict, altered, exchange, serving

from modelyard.errors import AuthorError, StoreDown
from modelyard.predictions.memory import MemorySink
from modelyard.predictor import Answers
from modelyard.serving.limits import Limits
from modelyard.tables.batch import Batch


def _request(age: int = 50) -> bytes:
    body = b'{"rows":[{"age":%d,"size":3.5}]}' % age
    return b"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


@pytest.mark.parametrize("content", [b"POST / HT", _request()[:-5], _request() + b"GET"])
def test_a_slow_sender_gets_408(tmp_path: Path, content: bytes) -> None:
    async def run() -> bytes:
        async with serving(tmp_path) as (_, port):
            return await exchange(port, content)

    assert b"HTTP/1.1 408" in asyncio.run(run())


def test_a_slow_chunked_sender_gets_408(tmp_path: Path) -> None:
    content = (
        b"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
    )

    async def run() -> bytes:
        async with serving(tmp_path) as (_, port):
            return await exchange(port, content)

    assert b"HTTP/1.1 408" in asyncio.run(run())


def test_idle_connections_are_closed(tmp_path: Path) -> None:
    async def run() -> tuple[bytes, float]:
        async with serving(tmp_path) as (service, port):
            start = time.monotonic()
            data = await exchange(port, b"")
            assert not service.connections
            return data, time.monotonic() - start

    data, seconds = asyncio.run(run())
    assert data == b""
    assert seconds >= SHORT.idle_seconds


def test_too_many_waiting_requests_get_429_and_the_others_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def slow(own: Predict, batch: Batch) -> Answers:
        if threading.current_thread() is not threading.main_thread():
            gate.wait(5)
        return own(batch)

    altered(monkeypatch, slow)
    log = MemorySink()

    async def run() -> bytes:
        async with serving(tmp_path, native=True, log=log) as (_, port):
            asyncio.get_running_loop().call_later(0.1, gate.set)
            return await exchange(port, _request() * 12, until=b"HTTP/1.1 ")

    data = asyncio.run(run())
    assert data.count(b"HTTP/1.1 429") == 8
    assert data.count(b"retry-after: 1\r\n") == 8
    assert data.count(b"HTTP/1.1 200") == 4
    minutes = [minute for counted in log.counted for minute in counted.minutes]
    assert sum(minute.overloaded for minute in minutes) == 8
    assert sum(minute.answered for minute in minutes) == 4


def test_small_bodies_that_expand_are_expanded_as_room_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def held(own: Predict, batch: Batch) -> Answers:
        if threading.current_thread() is not threading.main_thread():
            gate.wait(5)
        return own(batch)

    altered(monkeypatch, held)
    limits = Limits(body=100_000, pending=100)
    packed = gzip.compress(b'{"rows":[{"age":50,"size":3.5}]}'.ljust(90_000))
    head = b"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
    request = head + b"Content-Length: %d\r\n\r\n%b" % (len(packed), packed)

    async def run() -> tuple[int, bytes]:
        async with serving(tmp_path, native=True, limits=limits) as (service, port):
            asking = asyncio.create_task(exchange(port, request * 40, until=b"HTTP/1.1 "))
            await asyncio.sleep(0.2)
            bodies = sum(len(slot.body) for c in service.connections for slot in c.slots)  # type: ignore[arg-type]
            gate.set()
            return bodies, await asking

    bodies, data = asyncio.run(run())
    assert 0 < bodies <= 2 * limits.body
    assert data.count(b"HTTP/1.1 200") == 40


def test_a_native_model_that_never_answers_is_given_up_and_its_worker_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def hangs(own: Predict, batch: Batch) -> Answers:
        if threading.current_thread() is not threading.main_thread():
            gate.wait(5)
        return own(batch)

    altered(monkeypatch, hangs)
    limits = Limits(turn=2, answer_seconds=0.2, sweep_seconds=0.05)

    async def run() -> tuple[bytes, bytes, bool]:
        async with serving(tmp_path, native=True, limits=limits) as (service, port):
            first = await exchange(port, _request() * 5, until=b"HTTP/1.1 ")
            later = await exchange(port, _request(), until=b"HTTP/1.1 ")
            gate.set()
            return first, later, service.stuck

    first, later, stuck = asyncio.run(run())
    assert first.count(b"HTTP/1.1 503") == 5
    assert b"screening/prod/7 did not answer within 0.2 s" in first
    assert later.count(b"HTTP/1.1 503") == 1
    assert stuck


def test_a_native_model_does_not_stop_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(own: Predict, batch: Batch) -> Answers:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.15)
        return own(batch)

    altered(monkeypatch, slow)

    async def run() -> tuple[float, bytes]:
        async with serving(tmp_path, native=True) as (_, port):
            asking = asyncio.create_task(exchange(port, _request(), until=b"}"))
            await asyncio.sleep(0.05)
            assert not asking.done()
            start = time.monotonic()
            await exchange(port, b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return time.monotonic() - start, await asking

    seconds, data = asyncio.run(run())
    assert seconds < 0.1
    assert b"HTTP/1.1 200" in data


def test_one_row_that_fails_the_model_fails_no_other_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(own: Predict, batch: Batch) -> Answers:
        if np.any(batch.numbers[:, 0] == 13):
            raise AuthorError("The model does not like 13.")
        return own(batch)

    altered(monkeypatch, picky)
    log = MemorySink()

    async def run() -> bytes:
        async with serving(tmp_path, log=log, limits=Limits()) as (_, port):
            content = b"".join(_request(age) for age in (1, 13, 2, 13, 3)) + _request(1000)
            return await exchange(port, content, until=b"HTTP/1.1 ")

    data = asyncio.run(run())
    assert [part[:3] for part in data.split(b"HTTP/1.1 ")[1:]] == [
        b"200",
        b"500",
        b"200",
        b"500",
        b"200",
        b"422",
    ]
    assert b"does not like 13" in data
    assert [n for f in log.frames for n in f.batch.numbers[:, 0]] == [1, 2, 3]
    minutes = [minute for counted in log.counted for minute in counted.minutes]
    assert sum(minute.answered for minute in minutes) == 3
    assert sum(minute.failed for minute in minutes) == 2
    assert sum(minute.refused for minute in minutes) == 1
    assert 0 < sum(minute.busy for minute in minutes) < 5
    assert max(minute.waiting for minute in minutes) == 6


def test_what_cannot_be_logged_is_not_answered(tmp_path: Path) -> None:
    class Full(MemorySink):
        def flush(self, *, fsync: bool = False) -> None:  # noqa: ARG002
            raise StoreDown("The disk is full.")

    async def run() -> bytes:
        async with serving(tmp_path, log=Full()) as (_, port):
            return await exchange(port, _request(), until=b"HTTP/1.1 ")

    data = asyncio.run(run())
    assert b"HTTP/1.1 503" in data
    assert b"malignant" not in data


def test_all_requests_of_a_loop_turn_are_one_call_and_one_write(tmp_path: Path) -> None:
    log = MemorySink()

    async def run() -> bytes:
        async with serving(tmp_path, log=log, limits=Limits()) as (_, port):
            return await exchange(port, _request() * 20, until=b"HTTP/1.1 ")

    assert asyncio.run(run()).count(b"HTTP/1.1 200") == 20
    assert [len(f.ids) for f in log.frames] == [20]


def test_a_turn_is_bounded(tmp_path: Path) -> None:
    log = MemorySink()

    small = Limits(turn=8)

    async def run() -> bytes:
        async with serving(tmp_path, log=log, limits=small) as (_, port):
            return await exchange(port, _request() * 20, until=b"HTTP/1.1 ")

    assert asyncio.run(run()).count(b"HTTP/1.1 200") == 20
    assert [len(f.ids) for f in log.frames] == [8, 8, 4]


def test_what_clients_call_their_requests_is_logged_beside_our_ids(tmp_path: Path) -> None:
    log = MemorySink()
    tensor = b'{"name":"input","shape":[1,2],"datatype":"FP64","data":[50,1]}'
    infer = b'{"id":"theirs-2","inputs":[%b]}' % tensor
    content = _request().replace(b"Host: x", b"Host: x\r\nX-Request-ID: theirs-1") + _request()
    content += b"POST /v2/models/screening/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(
        infer
    )

    async def run() -> bytes:
        async with serving(tmp_path, log=log, limits=Limits()) as (_, port):
            return await exchange(port, content + infer, until=b"HTTP/1.1 200")

    data = asyncio.run(run())
    (frame,) = log.frames
    assert list(frame.client_ids) == ["theirs-1", None, "theirs-2"]
    assert len(set(frame.ids)) == 3
    assert all(data.count(i) >= 1 for i in frame.ids)
    assert b'"id":"theirs-2"' in data


def test_a_number_no_model_could_answer_is_the_clients_fault_any_other_failure_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflows(own: Predict, batch: Batch) -> Answers:
        if (np.abs(batch.numbers) > 50).any():
            raise AuthorError("The model gave an answer that is not finite; every answer must be.")
        return own(batch)

    altered(monkeypatch, overflows)
    said = {}

    async def run() -> None:
        async with serving(tmp_path) as (_, port):
            for size in (3.5, 50.5, 1e9, -1e300):
                body = json.dumps({"rows": [{"age": 40, "size": size}]}).encode()
                head = (
                    f"POST /models/screening/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                )
                said[size] = await exchange(port, head.encode() + b"Connection: close\r\n\r\n" + body)

    asyncio.run(run())
    assert [said[size].split()[1] for size in said] == [b"200", b"500", b"422", b"422"]
    error = json.loads(said[1e9].partition(b"\r\n\r\n")[2])["error"]
    assert (error["code"], error["field"]) == ("out_of_reach", "size")
    assert "'size' = 1e+09, which lies a million times beyond" in error["message"]
    assert "50" not in error["message"]  # what the training data were is nobody's who asks
