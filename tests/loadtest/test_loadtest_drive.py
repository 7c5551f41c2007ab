"""Load on real sockets: what stalls, refuses, closes or never answers is seen as it is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard.errors import ServiceDown
from modelyard.loadtest import drive, judge, parse
from modelyard.loadtest.drive import request
from modelyard.loadtest.histogram import bucket, percentile, total
from modelyard.records.load import Level, Load, Loaded

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


class Server:
    """Answers each request with what ``reply`` gives: bytes, None for nothing, or an exception to hang up."""

    def __init__(self) -> None:
        self.reply: Callable[[int], bytes | None] = lambda _: OK
        self.asked = 0
        self.bodies: list[bytes] = []
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict"
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                self.asked += 1
                answer = self.reply(self.asked)
                if answer is None:
                    continue
                if not answer:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def run(
    server: Server, scratch: Path, *, processes: int = 1, url: str | None = None, **fields: object
) -> Loaded:
    given: dict[str, object] = {"model": "closed", "levels": (4.0,), "seconds": 1.0, "users": 4}
    load = Load(url=url or server.url, **(given | fields))  # type: ignore[arg-type]
    bodies = [f'{{"rows": [{at}]}}'.encode() for at in range(7)]
    return drive(load, [request(load.url, body) for body in bodies], processes=processes, scratch=scratch)


def only(loaded: Loaded) -> Level:
    [level] = loaded.levels
    return level


@pytest.mark.parametrize("processes", [1, 2])
def test_users_ask_one_after_the_other_with_every_body(
    server: Server, tmp_path: Path, processes: int
) -> None:
    level = only(run(server, tmp_path, processes=processes))
    assert level.answered > 20
    assert level.answered <= server.asked <= level.answered + 4
    assert (level.errors, level.unsent) == ({}, 0)
    assert total(level.latencies) == level.answered
    assert len(set(server.bodies)) == 7


def test_thinking_users_keep_to_their_pace(server: Server, tmp_path: Path) -> None:
    loaded = run(server, tmp_path, think=0.25, seconds=2.0, users=10, levels=(10.0,))
    assert only(loaded).asked <= 10 * 2 / 0.25
    assert only(loaded).asked >= 10 * 2 / 0.25 * 0.7
    assert loaded.connections == 10


def test_levels_add_users_and_the_ramp_does_not_count(server: Server, tmp_path: Path) -> None:
    loaded = run(server, tmp_path, think=0.1, ramp=0.5, users=8, levels=(2.0, 8.0))
    assert [level.level for level in loaded.levels] == [2.0, 8.0]
    assert 2 * loaded.levels[0].asked < loaded.levels[1].asked
    assert server.asked > sum(level.asked for level in loaded.levels)


@pytest.mark.parametrize("model", ["open", "closed"])
def test_a_stall_counts_for_all_who_had_to_wait(server: Server, tmp_path: Path, model: str) -> None:
    """One pause of 0.8 s in 2 s: four requests in ten were due in it, though only few were sent."""
    begun: list[float] = []

    def reply(_: int) -> bytes:
        begun.append(time.monotonic())
        if not stalled and begun[-1] - begun[0] > 0.3:
            stalled.append(True)
            time.sleep(0.8)
        return OK

    stalled: list[bool] = []
    server.reply = reply
    pace: dict[str, object] = {"levels": (100.0,)} if model == "open" else {"levels": (5.0,), "think": 0.05}
    level = only(run(server, tmp_path, model=model, users=5, seconds=2.0, **pace))
    assert stalled
    p85 = percentile(level.latencies, 0.85, among=level.asked)
    assert p85 is not None
    assert p85 > 0.2


def test_every_cause_is_told_apart(server: Server, tmp_path: Path) -> None:
    server.reply = lambda asked: (BAD, b"", OK, CLOSING)[asked % 4]
    level = only(run(server, tmp_path))
    assert set(level.errors) == {"HTTP 503", "connection closed"}
    assert level.answered > 4
    assert not all(v.met for v in judge(level, [parse("errors=10%")]))


@pytest.mark.parametrize("model", ["open", "closed"])
def test_what_is_never_answered_is_an_error(server: Server, tmp_path: Path, model: str) -> None:
    server.reply = lambda _: None
    loaded = run(server, tmp_path, model=model, timeout=0.3, levels=(4.0,), think=0.1)
    level = only(loaded)
    assert level.answered == 0
    assert "no answer within 0.3 s" in level.errors
    assert level.failed == 1.0


def test_arrivals_wait_for_nobody(server: Server, tmp_path: Path) -> None:
    server.reply = lambda _: None
    level = only(run(server, tmp_path, model="open", levels=(50.0,), users=2, timeout=5.0))
    assert level.asked > 20
    assert level.unsent > 10
    assert level.answered == 0


def test_who_waits_longer_than_the_timeout_for_a_connection_is_sent_no_more(
    server: Server, tmp_path: Path
) -> None:
    def slowly(_: int) -> bytes:
        time.sleep(0.05)
        return OK

    server.reply = slowly
    level = only(run(server, tmp_path, model="open", levels=(100.0,), users=1, timeout=0.2, seconds=4.0))
    assert level.answered > 5
    assert level.unsent > 50
    assert max(level.latencies) < bucket(int(2e9))  # who waits for all before has waited for three


def test_a_port_that_nobody_listens_on_is_an_error_of_each(server: Server, tmp_path: Path) -> None:
    level = only(run(server, tmp_path, url="http://127.0.0.1:1/x", think=0.1))
    assert level.answered == 0
    assert all(cause.startswith("connecting: ") for cause in level.errors)


def test_a_process_that_fails_ends_the_test(server: Server, tmp_path: Path) -> None:
    load = Load(url=server.url, model="closed", levels=(1.0,), seconds=0.5, users=1)
    with pytest.raises(ServiceDown):
        drive(load, [], processes=2, scratch=tmp_path)  # nothing to ask with
