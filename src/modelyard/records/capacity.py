"""What a load of a given size takes, computed from a load test."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.records.load import Figures, Verdict


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """In one currency, whichever; None is not counted."""

    core: float | None = None
    """An hour of a core."""
    memory: float | None = None
    """An hour of a GiB of memory."""
    log: float | None = None
    """A GiB of prediction log."""
    replica: float | None = None
    """An hour of a replica, whatever it has; beside the others."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A load that must be answered within the promises of the load test."""

    rate: float
    """Requests a second at the peak."""
    mean: float
    """Requests a second through the day, for the log."""
    users: int | None = None
    """Whom the rate was computed from."""
    every: float | None = None
    """Seconds between a user's requests."""
    filled: float = 0.7
    """The share of what a replica can do that it is planned for: queues grow without end near the whole."""
    spare: int = 1
    """Replicas that may be missing at the peak."""
    prices: Prices = Prices()


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What the wish takes. Of what the load test did not measure there is None, and of all when nothing kept its promises."""

    target: str
    """What the load test asked."""
    tested: dt.datetime
    rows: int
    """Of a request."""
    wish: Wish
    sustained: float | None
    """Answers a second of one replica, at the highest level of load that kept every promise; None when none did."""
    at_least: bool = False
    """Even the highest level kept them: fewer replicas may do."""
    verdicts: tuple[Verdict, ...] = ()
    """Of the level that ``sustained`` is of; of the lowest when none kept them."""
    doubtful: str | None = None
    """Why the load test's figures may be those of the machine that asked."""
    replicas: int | None = None
    filled: float | None = None
    """The share of what the replicas sustain that the peak takes."""
    filled_without: float | None = None
    """The same while ``wish.spare`` of them are missing."""
    peak: Figures | None = None
    """The lowest level of the load test that answered at least what each replica is asked at the peak."""
    cores_each: float | None = None
    """That a replica used at the level it sustains, rounded up to a tenth."""
    memory_each: int | None = None
    """MiB: a quarter more than its processes held at most, rounded up to 64."""
    cores: float | None = None
    memory: float | None = None
    """GiB, of all replicas."""
    log_bytes: float | None = None
    """That a request leaves in the prediction log, at most."""
    log_a_day: float | None = None
    """GiB, before it is compacted."""
    hourly: float | None = None
    """Money for replicas, cores and memory, as far as they have prices."""
    daily_log: float | None = None
    """Money for a day's prediction log."""
    unpriced: tuple[str, ...] = ()
    """What was given a price and could not be counted, since the load test did not measure it."""

    @property
    def met(self) -> bool:
        """Whether the promises can be kept at all."""
        return self.replicas is not None
