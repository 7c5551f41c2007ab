"""Several processes that ask on one schedule, and the sum of what they saw."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from modelyard.errors import ServiceDown
from modelyard.loadtest.histogram import added
from modelyard.records.load import Level, Load, Loaded, Second

_PORTS = 20_000
"""Connections from one local address."""
_SETTLE = 1.0
"""Seconds until all processes are up and begin together."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One process's share."""

    load: Load
    requests: list[bytes]
    start: float
    address: str | None = None


def request(url: str, body: bytes, *, token: str | None = None, headers: Sequence[str] = ()) -> bytes:
    """The bytes of one POST on a kept connection."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "Content-Type: application/json",
        *([f"Authorization: Bearer {token}"] if token else []),
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def drive(
    load: Load,
    requests: Sequence[bytes],
    *,
    processes: int,
    scratch: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Run the load from several processes and add up; raises ``ServiceDown`` when one of them fails."""
    start = time.time() + _SETTLE
    scratch.mkdir(parents=True, exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    with ExitStack() as pipes:
        for at in range(processes):
            plan = scratch / f"load-{at}"
            order = Order(
                load=_share(load, at, processes),
                requests=list(requests),
                start=start,
                address=_address(load, at),
            )
            plan.write_bytes(msgspec.msgpack.encode(order))
            command = [sys.executable, "-m", "modelyard.loadtest", str(plan)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            running.append(pipes.enter_context(process))
            pipes.callback(process.kill)
        whole = load.ramp + len(load.levels) * load.seconds
        while any(p.poll() is None for p in running) and time.time() < start + whole:
            tell(f"{max(0.0, time.time() - start):.0f} of {whole:.0f} s under load")
            time.sleep(0.2)
        return _sum([_result(process) for process in running], start)


def _share(load: Load, at: int, of: int) -> Load:
    users = load.users // of + (at < load.users % of)
    if load.model == "open":
        levels = tuple(level / of for level in load.levels)
    else:
        levels = tuple(float(int(level) // of + (at < int(level) % of)) for level in load.levels)
        users = int(max(levels))
    return msgspec.structs.replace(load, levels=levels, users=max(1, users), seed=load.seed + at)


def _address(load: Load, at: int) -> str | None:
    """Loopback has many addresses, and each as many ports: more users than one has ask from several."""
    host = urlsplit(load.url).hostname or ""
    return f"127.0.0.{2 + at}" if host == "127.0.0.1" and load.users > _PORTS else None


def _result(process: subprocess.Popen[bytes]) -> Loaded:
    output, errors = process.communicate(timeout=60)
    if process.returncode:
        said = (errors.decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise ServiceDown(f"A process of the load test failed: {said[:200]}")
    return msgspec.json.decode(output, type=Loaded)


def _sum(several: Sequence[Loaded], start: float) -> Loaded:
    levels = [
        Level(
            level=sum(level.level for level in each),
            seconds=each[0].seconds,
            answered=sum(level.answered for level in each),
            errors=_causes(level.errors for level in each),
            unsent=sum(level.unsent for level in each),
            latencies=added(level.latencies for level in each),
        )
        for each in zip(*(one.levels for one in several), strict=True)
    ]
    seconds: dict[int, list[Second]] = {}
    for one in several:
        for second in one.seconds:
            seconds.setdefault(second.at, []).append(second)
    return Loaded(
        levels=tuple(levels),
        seconds=tuple(
            Second(
                at=at,
                answered=sum(s.answered for s in each),
                errors=sum(s.errors for s in each),
                latencies=added(s.latencies for s in each),
            )
            for at, each in sorted(seconds.items())
        ),
        connections=sum(one.connections for one in several),
        busy=max(one.busy for one in several),
        late=added(one.late for one in several),
        start=start,
    )


def _causes(several: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for errors in several:
        for cause, count in errors.items():
            found[cause] = found.get(cause, 0) + count
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def cores() -> int:
    return len(os.sched_getaffinity(0))
