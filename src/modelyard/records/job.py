"""Work that the yard hands out, and the clocks that ask for it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from modelyard.records.run import Process

JobKind = Literal["build", "monitor", "trigger"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN: tuple[JobState, ...] = ("queued", "running")
"""What may still change by itself."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, whoever does it."""

    kind: JobKind
    models: tuple[str, ...] = ()
    environment: str = ""
    snapshot: str = ""
    """Digest of the project's files as they were when it was asked for; without one it is done from what the executor's
    machine has."""
    commit: str = ""

    @property
    def said(self) -> str:
        """``monitor screening in prod``, for people."""
        place = f"in {self.environment}" if self.environment else ""
        return " ".join(word for word in (self.kind, ", ".join(self.models), place) if word)

    @property
    def queue(self) -> str:
        """What limits count by: the environment, or the kind where it is of none."""
        return self.environment or self.kind

    @property
    def lane(self) -> str:
        """Of one lane at most one job runs at a time: two builds of a model would only wait for each other."""
        return "/".join((self.kind, self.environment, *self.models))


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work. A running one belongs to its executor until ``lease``."""

    id: int
    asked: Asked
    state: JobState
    by: str
    """Who asked, or the schedule that did."""
    since: dt.datetime
    due: dt.datetime
    """Not begun before."""
    tries: int = 0
    """How often it was begun."""
    faults: int = 0
    """How often something outside failed it."""
    lost: int = 0
    """How often its executor was."""
    executor: str = ""
    process: Process | None = None
    lease: dt.datetime | None = None
    ending: bool = False
    """Somebody cancelled it while it ran."""
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    result: str = ""
    reason: str = ""
    """Why it failed, or waits for its next try."""


class Said(msgspec.Struct, frozen=True):
    """A piece of what a job printed."""

    number: int
    text: str


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A clock: work that is asked for whenever so many seconds of the epoch have passed."""

    name: str
    asked: Asked
    every: Annotated[int, msgspec.Meta(ge=1)]
    due: dt.datetime
    """The next moment."""
