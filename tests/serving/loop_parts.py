"""A service in this test's own loop, and models that behave as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from serving_parts import serve_numeric

from modelyard.predictor import Answers, Predictor
from modelyard.records.trust import Trust
from modelyard.serving import live as live_module
from modelyard.serving.admission import Admission
from modelyard.serving.connection import Connection
from modelyard.serving.counters import Board
from modelyard.serving.limits import Limits
from modelyard.serving.live import Models
from modelyard.serving.service import Service
from modelyard.tables.batch import Batch

SHORT = Limits(send_seconds=0.2, idle_seconds=0.3, linger_seconds=0.2, sweep_seconds=0.05, pending=4, turn=3)
Predict = Callable[[Batch], Answers]


@asynccontextmanager
async def serving(
    folder: Path, *, limits: Limits = SHORT, log: Any = None, native: bool = False
) -> AsyncIterator[tuple[Service, int]]:
    loop = asyncio.get_running_loop()
    board = Board(1)
    service = Service(loop, limits=limits, exposition=lambda: b"")
    models = Models.open(1, [serve_numeric(folder / "p")], None, lambda _: board.tally(0, 0))
    models.by_name["screening"].inline = not native
    service.point(models, admission=Admission(loop.time), log=log)
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0)

    async def sweep() -> None:
        while True:
            service.sweep()
            await asyncio.sleep(limits.sweep_seconds)

    task = loop.create_task(sweep())
    try:
        yield service, server.sockets[0].getsockname()[1]
    finally:
        task.cancel()
        server.close()
        for connection in list(service.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        service.close()


async def exchange(port: int, content: bytes, *, until: bytes = b"") -> bytes:
    """All that is answered until the service closes, or until ``until`` is seen."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    data = b""
    async with asyncio.timeout(5):
        while more := await reader.read(1 << 16):
            data += more
            if until and data.count(until) == content.count(b"POST"):
                break
    writer.close()
    return data


def altered(monkeypatch: pytest.MonkeyPatch, predict: Callable[[Predict, Batch], Answers]) -> None:
    """Have every opened package answer through ``predict(own, batch)``."""
    opened = live_module.open_package

    def open_package(folder: Path, *, digest: str | None = None, trust: Trust | None = None) -> Predictor:
        own = opened(folder, digest=digest, trust=trust)
        return Predictor(own.manifest, lambda batch: predict(own.predict, batch))

    monkeypatch.setattr(live_module, "open_package", open_package)
