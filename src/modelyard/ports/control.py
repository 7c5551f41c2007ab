"""The seams of what runs by itself: windows, jobs and their schedules."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from modelyard.records.alert import Alert, AlertState, Notice
from modelyard.records.job import Job, JobState, Said, Schedule
from modelyard.records.window import ExaminedWindow


class Windows(Protocol):
    """The history of monitoring: examined windows, those of one version by their begin and end.

    ``put`` inserts, or replaces what was found in the same window before, as when late rows came.
    """

    def put(self, window: ExaminedWindow) -> None: ...
    def latest(self, environment: str, model: str) -> ExaminedWindow | None:
        """The one that ended last; of several versions that examined last."""
        ...

    def list(
        self,
        environment: str | None = None,
        model: str | None = None,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int | None = None,
    ) -> list[ExaminedWindow]:
        """By their end, newest first; those that end after ``since`` and begin before ``until``."""
        ...


class Jobs(Protocol):
    """Work to do; ``put`` inserts or replaces by id."""

    def next_id(self) -> int:
        """Never given twice."""
        ...

    def put(self, job: Job) -> None: ...
    def get(self, job_id: int) -> Job | None: ...
    def due(self, now: dt.datetime, limit: int) -> list[Job]:
        """Those that wait and may begin, the longest due first."""
        ...

    def say(self, job_id: int, text: str) -> None:
        """Add to what the job printed."""
        ...

    def said(self, job_id: int, *, after: int = 0) -> list[Said]:
        """In order, the pieces with a larger number than ``after``."""
        ...

    def remove(self, job_id: int) -> None:
        """Forget it, with what it printed; no error when it is not there."""
        ...

    def drop(self, before: dt.datetime) -> int:
        """Forget jobs that ended before then, with what they printed; how many."""
        ...

    def list(self, *states: JobState, limit: int | None = None) -> list[Job]:
        """Newest first; without a state, of any."""
        ...


class Schedules(Protocol):
    """Clocks; ``put`` inserts or replaces by name."""

    def put(self, schedule: Schedule) -> None: ...
    def remove(self, name: str) -> None:
        """No error when it is not there."""
        ...

    def due(self, now: dt.datetime) -> list[Schedule]:
        """Those whose moment has come, by it and by name."""
        ...

    def list(self) -> list[Schedule]:
        """By name."""
        ...


class Alerts(Protocol):
    """What people are told of. Of one key at most one is open."""

    def next_id(self) -> int: ...
    def put(self, alert: Alert) -> None:
        """Insert, or replace by id; ``Misuse`` for a second open one of its key."""
        ...

    def get(self, alert_id: int) -> Alert | None: ...
    def list(self, state: AlertState | None = None, *, limit: int | None = None) -> list[Alert]:
        """Newest first."""
        ...


class Notices(Protocol):
    """What channels are to be told; ``put`` inserts or replaces by id."""

    def next_id(self) -> int: ...
    def put(self, notice: Notice) -> None: ...
    def due(self, now: dt.datetime, limit: int) -> list[Notice]:
        """Neither delivered nor given up, the longest due first."""
        ...

    def list(self, *, limit: int | None = None) -> list[Notice]:
        """Newest first."""
        ...
