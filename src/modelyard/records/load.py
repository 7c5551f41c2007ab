"""What a load test asks for and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A test of one URL. ``levels`` are told one after the other, each for ``seconds``.

    ``closed``: a level is a number of users, each of whom asks every ``think`` seconds (0: as soon as answered), one
    request at a time. ``open``: a level is a number of requests a second that arrive whether or not others were
    answered, over at most ``users`` connections.
    """

    url: str
    model: Literal["closed", "open"]
    levels: tuple[float, ...]
    seconds: float
    ramp: float = 0.0
    """Seconds at the beginning over which the load grows from nothing; not counted."""
    users: int
    think: float = 0.0
    timeout: float = 10.0
    seed: int = 0


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """What one level of load saw; latencies in nanoseconds by bucket of ``loadtest.histogram``."""

    level: float
    seconds: float
    answered: int
    errors: dict[str, int] = {}
    """Requests without a 200, by cause."""
    unsent: int = 0
    """Requests that were due and found no connection before the level ended."""
    latencies: dict[int, int] = {}
    """From when a request was due to its last byte, of those answered."""

    @property
    def asked(self) -> int:
        return self.answered + sum(self.errors.values()) + self.unsent

    @property
    def failed(self) -> float:
        """Share of the requests that were due without an answer."""
        return 1 - self.answered / self.asked if self.asked else 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What was due in one second of the test."""

    at: int
    answered: int = 0
    errors: int = 0
    latencies: dict[int, int] = {}

    @property
    def asked(self) -> int:
        return self.answered + self.errors

    @property
    def failed(self) -> float:
        return self.errors / self.asked if self.asked else 0.0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A load test's outcome, of one process or of all."""

    levels: tuple[Level, ...]
    seconds: tuple[Second, ...] = ()
    connections: int = 0
    """The most that were open at once."""
    busy: float = 0.0
    """The largest share of a core that a process which asked was busy; near 1 the figures are its own."""
    late: dict[int, int] = {}
    """How long after it was due a request was sent though a connection was free, by bucket."""
    start: float = 0.0
    """When the load began, in seconds since 1970."""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """``p99 <= 0.05`` seconds, ``errors <= 0.001`` of all, ``rate >= 500`` answers a second."""

    what: str
    limit: float
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    promise: str
    value: float | None
    """None: so many requests were not answered that the percentile has no end."""
    shown: str
    met: bool


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to answer ``target`` requests a second within the promises."""

    capacity: float
    """Answers a second of the highest level that kept every promise, of one replica as it was tested."""
    target: float
    replicas: int
    cost: float | None = None
    """An hour."""
    at_least: bool = False
    """Even the highest level kept the promises: the true capacity is more, fewer replicas may do."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A level, or a second, in figures; latencies in seconds, None where so many were never answered."""

    level: float
    rate: float
    answered: int
    failed: float
    p50: float | None
    p90: float | None
    p99: float | None
    p999: float | None
    slowest: float | None
    errors: dict[str, int] = {}
    verdicts: tuple[Verdict, ...] = ()
    """The promises held against this level, without those on the rate, which are of the whole."""
    cores: float | None = None
    """That the service used, where it ran on this machine."""


class LoadTest(msgspec.Struct, frozen=True, kw_only=True):
    """A load test's facts; the last level is what the promises are held against."""

    target: str
    load: Load
    rows: int
    """Rows a request."""
    at: dt.datetime
    cores: int
    """Of the machine that asked."""
    levels: tuple[Figures, ...]
    course: tuple[Figures, ...]
    """Second by second; ``level`` is the second."""
    spread: tuple[tuple[float, float], ...]
    """Share of the last level's requests, and the seconds within which they were answered."""
    connections: int
    busy: float
    late: float | None
    """The 99th percentile of how late requests were sent though nothing kept them waiting, seconds."""
    verdicts: tuple[Verdict, ...] = ()
    estimate: Estimate | None = None
    memory_mb: float | None = None
    """MiB: the most that the service's processes held, where it ran on this machine."""
    log_bytes: float | None = None
    """That a request leaves in the prediction log, at most; None where the package is not at hand."""

    @property
    def passed(self) -> bool:
        return all(verdict.met for verdict in self.verdicts)

    @property
    def doubtful(self) -> str | None:
        """Why the figures may be those of the machine that asked."""
        if self.busy > 0.85:
            return f"A process that asked was busy {self.busy:.0%} of the time: ask from more processes or machines."
        if self.late is not None and self.late > 0.02:
            return f"Requests were sent up to {1e3 * self.late:.0f} ms late (99 %): the machine that asked is too busy."
        return None
