"""Many users who keep a connection and ask once in a while: errors, latency, memory a connection.

    python benchmarks/serving/users.py [--users 100000] [--every 30] [--seconds 120] [--workers 6] [--keep]

Each user has a connection of their own and asks for one prediction every so many seconds, at a moment of their own. Since one
process may open twenty thousand files, the service has several workers, and the users live in several processes on addresses
of their own (127.0.0.x). Latency counts from the moment at which a request was due. Memory is what the workers hold more
than before the first user came, proportional resident, by the kernel's account; what the kernel itself keeps for a connection
is told apart (slab, as far as it grew).
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gc
import json
import multiprocessing
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from load import family, request  # noqa: E402
from workloads import TOKEN, deployed  # noqa: E402

PORT = 8761
EACH = 15_000
"""Users of one process."""


class User(asyncio.Protocol):
    """Asks, waits for its answer, and asks again when it is due."""

    __slots__ = ("crowd", "due", "rest", "transport", "wanted")

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.rest = b""
        self.due = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.crowd.here += 1

    def ask(self, due: float) -> None:
        crowd = self.crowd
        if due > crowd.until:
            return
        self.due = due
        crowd.asked += 1
        self.transport.write(crowd.request)

    def data_received(self, data: bytes) -> None:
        crowd = self.crowd
        if self.rest:
            data = self.rest + data
        stop = data.find(b"\r\n\r\n") + 4
        if stop < 4 or not data.endswith(b"}"):
            self.rest = data
            return
        self.rest = b""
        if not data.startswith(b"HTTP/1.1 200"):
            crowd.errors += 1
        elif self.due >= crowd.since:
            crowd.took.append(crowd.loop.time() - self.due)
        crowd.loop.call_at(self.due + crowd.every, self.ask, self.due + crowd.every)
        self.due = 0.0

    def connection_lost(self, _: Exception | None) -> None:
        if not self.crowd.over:
            self.crowd.errors += 1


class Crowd:
    """The users of one process."""

    def __init__(self, asked: bytes, *, every: float) -> None:
        self.request, self.every = asked, every
        self.loop = asyncio.get_running_loop()
        self.here = self.asked = self.errors = 0
        self.took: list[float] = []
        self.since = self.until = float("inf")
        self.over = False

    async def run(self, number: int, users: int, port: int, told: Any, seconds: float) -> dict[str, Any]:
        made: list[User] = []
        for at in range(0, users, 200):
            some = [
                self.loop.create_connection(
                    lambda: User(self),
                    "127.0.0.1",
                    port,
                    local_addr=(f"127.0.{number + 1}.{1 + at % 250}", 0),
                )
                for _ in range(min(200, users - at))
            ]
            for _, user in await asyncio.gather(*some):
                made.append(user)  # type: ignore[arg-type]
            await asyncio.sleep(0.02)
        gc.collect()
        gc.freeze()
        gc.disable()
        told.put(("here", number))
        begin = await self.loop.run_in_executor(None, told.get_start)
        now = self.loop.time() + (begin - time.time())
        self.since, self.until = now + self.every, now + self.every + seconds  # everybody asked once before
        for user in made:
            first = now + random.random() * self.every
            self.loop.call_at(first, user.ask, first)
        await asyncio.sleep(self.until - self.loop.time() + 10)
        unanswered = sum(1 for user in made if user.due)
        self.over = True
        return {
            "users": self.here,
            "asked": self.asked,
            "errors": self.errors,
            "unanswered": unanswered,
            "took": self.took,
        }


class Line:
    """What a process of users and the main one tell each other."""

    def __init__(self, out: Any, start: Any) -> None:
        self._out, self._start = out, start

    def put(self, what: Any) -> None:
        self._out.put(what)

    def get_start(self) -> float:
        return float(self._start.get())


def users(number: int, count: int, asked: bytes, out: Any, start: Any, every: float, seconds: float) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def live() -> None:
        crowd = Crowd(asked, every=every)
        out.put(("done", await crowd.run(number, count, PORT, Line(out, start), seconds)))

    uvloop.run(live())


def held(pids: set[int]) -> float:
    """Bytes that these processes hold, shared pages by their share."""
    total = 0
    for pid in pids:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(told.partition("Pss:")[2].split()[0]) * 1024
    return total


def slab() -> int:
    told = Path("/proc/meminfo").read_text()
    return int(told.partition("\nSlab:")[2].split()[0]) * 1024


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--users", type=int, default=100_000)
    asked.add_argument("--every", type=float, default=30.0)
    asked.add_argument("--seconds", type=float, default=120.0)
    asked.add_argument("--workers", type=int, default=6)
    asked.add_argument("--keep", action="store_true")
    given = asked.parse_args()
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed(Path(folder), port=PORT, workers=given.workers) as service,
    ):
        body = {"rows": service.workloads[0].rows}
        content = request("/models/lr/predict", body, token=TOKEN)
        pids = family(service.supervisor)
        before, kernel = held(pids), slab()
        processes, starts = [], []
        for number, at in enumerate(range(0, given.users, EACH)):
            count = min(EACH, given.users - at)
            start = context.Queue()
            process = context.Process(
                target=users, args=(number, count, content, out, start, given.every, given.seconds)
            )
            process.start()
            processes.append(process)
            starts.append(start)
        for _ in processes:
            what, _ = out.get(timeout=600)
            assert what == "here", what
        connected, kernel = held(pids), slab() - kernel
        print(f"{given.users} connected: {(connected - before) / given.users:.0f} bytes each", flush=True)
        begin = time.time() + 1
        for start in starts:
            start.put(begin)
        found = [out.get(timeout=given.every + given.seconds + 120)[1] for _ in processes]
        after = held(pids)
        for process in processes:
            process.join(30)
    took = np.concatenate([np.asarray(each["took"]) for each in found])
    result = {
        "revision": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip(),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "users": sum(each["users"] for each in found),
        "workers": given.workers,
        "every_seconds": given.every,
        "answered": len(took),
        "errors": sum(each["errors"] + each["unanswered"] for each in found),
        "p50_ms": round(float(np.percentile(took, 50)) * 1e3, 2),
        "p99_ms": round(float(np.percentile(took, 99)) * 1e3, 2),
        "p999_ms": round(float(np.percentile(took, 99.9)) * 1e3, 2),
        "most_ms": round(float(took.max()) * 1e3, 2),
        "bytes_a_connection": round((after - before) / given.users),
        "bytes_a_connection_of_the_kernel": round(kernel / given.users),
    }
    print(json.dumps(result, indent=2))
    if given.keep:
        (ROOT / "benchmarks/results/users.json").write_text(json.dumps(result, indent=2) + "\n")
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
