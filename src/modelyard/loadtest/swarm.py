"""One process that asks: users on their own clocks, or arrivals that wait for nobody.

A request's latency counts from when it was due. One that is sent late, because the one before was answered late or
no connection was free, has waited all the same, so that a service that stalls cannot hide it (coordinated omission).
"""

from __future__ import annotations

import asyncio
import random
import resource
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from modelyard.loadtest.client import Line
from modelyard.loadtest.histogram import bucket
from modelyard.records.load import Level, Load, Loaded, Second

_TICK = 0.001
_GRACE = 1.0
"""Seconds after the last level in which answers still count."""


@dataclass
class _Counts:
    answered: int = 0
    unsent: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    latencies: dict[int, int] = field(default_factory=dict)


class Swarm:
    """Asks as the load says; ``run`` gives what was seen."""

    def __init__(self, load: Load, requests: Sequence[bytes], *, start: float, address: str | None) -> None:
        """``start`` is on the clock of ``time.time``, the same for all processes; ``address`` what to ask from."""
        self.load = load
        self._requests = requests
        self.random = random.Random(load.seed)
        self._next = self.random.randrange(len(requests))
        self.loop = asyncio.get_running_loop()
        self.begin = _now() + start - time.time()
        self._counts = [_Counts() for _ in load.levels]
        self._ramp = _Counts()
        self._seconds: dict[int, _Counts] = {}
        self._late: dict[int, int] = {}
        self._due: dict[Line, float] = {}
        self._times: dict[Line, float] = {}
        self._idle: deque[Line] = deque()
        self._connecting = 0
        self._open = self._most = 0
        self._backlog: deque[float] = deque()
        self.users: dict[Line, _User] = {}
        self.stopped = False
        parts = urlsplit(load.url)
        self._where: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or (443 if parts.scheme == "https" else 80),
            "ssl": ssl.create_default_context() if parts.scheme == "https" else None,
            "local_addr": (address, 0) if address else None,
        }

    @property
    def _end(self) -> float:
        return self.begin + self.load.ramp + len(self.load.levels) * self.load.seconds

    async def run(self) -> Loaded:
        load = self.load
        used = _cpu()
        watch = asyncio.ensure_future(self._watch())
        if load.model == "closed":
            users = [_User(self, at) for at in range(load.users)]
            for user in users:
                self.loop.call_at(user.first, user.wake)
        else:
            asyncio.ensure_future(self._arrive())  # noqa: RUF006
        await asyncio.sleep(max(0.0, self._end - _now()))
        self.stopped = True
        busy = (_cpu() - used) / max(1e-9, _now() - self.begin)
        until = _now() + _GRACE
        while self._due and _now() < until:
            await asyncio.sleep(0.01)
        watch.cancel()
        for line, due in list(self._due.items()):
            self.count(due, "no answer by the end")
            del self._due[line]
        for due in self._backlog:
            self._at(due).unsent += 1
        levels = tuple(
            Level(
                level=level,
                seconds=load.seconds,
                answered=counts.answered,
                errors=counts.errors,
                unsent=counts.unsent,
                latencies=counts.latencies,
            )
            for level, counts in zip(load.levels, self._counts, strict=True)
        )
        seconds = tuple(
            Second(
                at=at, answered=c.answered, errors=sum(c.errors.values()) + c.unsent, latencies=c.latencies
            )
            for at, c in sorted(self._seconds.items())
        )
        return Loaded(levels=levels, seconds=seconds, connections=self._most, busy=busy, late=self._late)

    # -- what is due

    def level(self, at: float) -> float:
        """The load wanted at a moment: its level, or on the ramp a part of the first."""
        into = at - self.begin
        if into < self.load.ramp:
            return self.load.levels[0] * max(0.0, into) / self.load.ramp
        step = int((into - self.load.ramp) / self.load.seconds)
        return self.load.levels[min(step, len(self.load.levels) - 1)]

    async def _arrive(self) -> None:
        """Open arrivals, spread at random as independent people come."""
        at = self.begin
        while _now() < self._end:
            rate = self.level(at)
            at += self.random.expovariate(rate) if rate > 0.5 else 0.05
            while at > _now() + _TICK / 2:
                await asyncio.sleep(min(0.5, max(_TICK, at - _now())))
            if rate > 0.5 and at < self._end:
                self._send_or_wait(at)

    def _send_or_wait(self, due: float) -> None:
        while self._idle:
            line = self._idle.popleft()
            if line.open:
                self.ask(line, due, free=True)
                return
        self._backlog.append(due)
        if self._open + self._connecting < self.load.users:
            self._connect()

    def _connect(self) -> None:
        self._connecting += 1
        asyncio.ensure_future(self._dial())  # noqa: RUF006

    async def _dial(self) -> None:
        try:
            line = await self.dial(self._answered)
        except OSError as error:
            if self._backlog:
                self.count(self._backlog.popleft(), f"connecting: {error.strerror or error}")
            return
        finally:
            self._connecting -= 1
        self._rest(line)

    async def dial(self, ended: Any) -> Line:
        """A new connection; ``OSError``."""
        limit = self.load.timeout
        try:
            async with asyncio.timeout(limit):
                _, line = await self.loop.create_connection(lambda: Line(ended), **self._where)
        except TimeoutError:
            raise OSError(f"no connection within {limit:g} s") from None
        self._open += 1
        self._most = max(self._most, self._open)
        return line

    def _rest(self, line: Line) -> None:
        """A connection is free: whoever has waited longest goes first."""
        if self._backlog:
            self.ask(line, self._backlog.popleft(), free=False)
        else:
            self._idle.append(line)

    def _answered(self, line: Line, how: str) -> None:
        self.settle(line, how)
        if line.open:
            self._rest(line)
        else:
            self._open -= 1
            if self._backlog and not self.stopped:
                self._connect()

    # -- one request

    def ask(self, line: Line, due: float, *, free: bool) -> None:
        """Send the next request. ``free``: nothing kept it waiting but this process itself, whose lateness is
        told apart from the service's."""
        now = _now()
        if free:
            at = bucket(int((now - due) * 1e9))
            self._late[at] = self._late.get(at, 0) + 1
            due = now
        self._due[line] = due
        self._times[line] = now
        self._next = (self._next + 1) % len(self._requests)
        line.ask(self._requests[self._next])

    def settle(self, line: Line, how: str) -> None:
        """Count how a request ended."""
        due = self._due.pop(line, None)
        self._times.pop(line, None)
        if due is not None:
            self.count(due, how)

    def lost(self) -> None:
        """A user's connection is gone."""
        self._open -= 1

    def _at(self, due: float) -> _Counts:
        into = due - self.begin - self.load.ramp
        if into < 0:
            return self._ramp
        return self._counts[min(int(into / self.load.seconds), len(self._counts) - 1)]

    def count(self, due: float, how: str) -> None:
        """Note how the request that was due then ended: 200, another status, or a cause."""
        now = _now()
        second = self._seconds.setdefault(int(max(0.0, due - self.begin)), _Counts())
        for counts in (self._at(due), second):
            if how == "200":
                at = bucket(int((now - due) * 1e9))
                counts.answered += 1
                counts.latencies[at] = counts.latencies.get(at, 0) + 1
            else:
                cause = f"HTTP {how}" if how.isdigit() else how
                counts.errors[cause] = counts.errors.get(cause, 0) + 1

    async def _watch(self) -> None:
        """Requests that take too long end with their connection."""
        while True:
            await asyncio.sleep(0.1)
            limit = _now() - self.load.timeout
            for line in [line for line, sent in self._times.items() if sent < limit]:
                self.settle(line, f"no answer within {self.load.timeout:g} s")
                line.waiting = False
                line.close()
                user = self.users.get(line)
                if user is not None:
                    user.answered(line, "")
                else:
                    self._open -= 1
            while self._backlog and self._backlog[0] < limit:  # nobody waits longer for a free connection
                self._at(self._backlog.popleft()).unsent += 1


class _User:
    """Somebody who asks, reads, thinks and asks again, on a connection of their own."""

    def __init__(self, swarm: Swarm, number: int) -> None:
        self._swarm = swarm
        self._number = number
        self._line: Line | None = None
        load = swarm.load
        share = number / load.users
        self.first = swarm.begin + self._enters(share)
        self._due = self.first
        self._prompt = True
        """Whether the answer before came before the next request was due."""

    def _enters(self, share: float) -> float:
        """When the load has grown so far that this user is one of it; within a pause of thinking, at random."""
        load = self._swarm.load
        most = max(load.levels)
        for at, level in enumerate(load.levels):
            if share < level / most:
                start = (
                    load.ramp * min(1.0, share * most / level) if at == 0 else load.ramp + at * load.seconds
                )
                return start + self._swarm.random.uniform(0, min(load.think, load.seconds))
        return load.ramp + len(load.levels) * load.seconds

    def wake(self) -> None:
        swarm = self._swarm
        if swarm.stopped:
            return
        if self._line is None or not self._line.open:
            asyncio.ensure_future(self._dial())  # noqa: RUF006
            return
        swarm.ask(self._line, self._due, free=self._prompt)

    async def _dial(self) -> None:
        swarm = self._swarm
        try:
            self._line = await swarm.dial(self.answered)
        except OSError as error:
            swarm.count(self._due, f"connecting: {error.strerror or error}")
            self._plan()
            return
        swarm.users[self._line] = self
        if not swarm.stopped:
            swarm.ask(self._line, self._due, free=False)

    def answered(self, line: Line, how: str) -> None:
        self._swarm.settle(line, how)
        if not line.open:
            self._swarm.users.pop(line, None)
            self._swarm.lost()
            self._line = None
        self._plan()

    def _plan(self) -> None:
        """The next request is due a pause after this one was, whenever that was answered."""
        swarm = self._swarm
        if swarm.stopped:
            return
        now = _now()
        think = swarm.load.think
        if think == 0:
            self._due = now
            if self._line is not None:
                self.wake()
            else:
                swarm.loop.call_later(0.05, self._again)
            return
        self._due += think
        self._prompt = now <= self._due
        swarm.loop.call_at(max(now, self._due), self.wake)

    def _again(self) -> None:
        self._due = _now()
        self.wake()


def _now() -> float:
    """The loop's clock, which itself counts whole milliseconds only."""
    return time.monotonic()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
