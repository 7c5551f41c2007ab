"""The clock of ``up``: asks for what is due, and keeps services running."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator

from modelyard import jobs
from modelyard.actions.keep import keep
from modelyard.errors import ModelyardError
from modelyard.jobs.clock import after
from modelyard.pipelines.until import Until
from modelyard.project import Project, now
from modelyard.records.job import Asked, Job, Schedule
from modelyard.settings import MonitorSettings, Settings
from modelyard.settings.read import FILE
from modelyard.settings.spans import span

_TICK, _KEEP = 0.5, 5.0
"""Seconds between two looks at the clock, and at the services."""
_FORGET = 3600.0
_MINUTE = 60
_OFTEN = 300
"""Seconds between two looks whether a window is over that no length of time ends."""


class Clock:
    def __init__(self, project: Project, *, report: Callable[[str], None] = lambda _: None) -> None:
        self._project, self._report = project, report
        self._stamp: tuple[int, int] | None = None
        self._live: set[tuple[str, str]] | None = None
        self._keep = self._forget = 0.0
        self._next: dt.datetime | None = None
        self._said: dict[str, str] = {}

    def run(self, until: Until) -> None:
        """Until told to end. What fails is said once, and tried again."""
        while not until.ended:
            self.step()
            until.wait(_TICK)

    def step(self) -> list[Job]:
        """One look at everything; the jobs that were asked for."""
        if time.monotonic() >= self._keep:
            self._keep = time.monotonic() + _KEEP
            with _Said(self, "settings"):
                self._settle()
            for environment in self._project.settings.environments:
                with _Said(self, environment):
                    if keep(self._project, environment):
                        self._report(f"{environment}: its service runs again")
        if time.monotonic() >= self._forget:
            self._forget = time.monotonic() + _FORGET
            with _Said(self, "old jobs"):
                before = now() - dt.timedelta(days=int(self._project.settings.jobs.keep[:-1]))
                self._project.yard.mark(self._project.actor, lambda facts: facts.jobs.drop(before))
        with _Said(self, "schedules"):
            return self._advance()
        return []

    def _settle(self) -> None:
        """Take in the settings when their file changed, and what is live when that did."""
        told = (self._project.root / FILE).stat()
        stamp = (told.st_mtime_ns, told.st_size)
        with self._project.yard.read() as facts:
            live = {(r.environment, r.model) for r in facts.releases.list() if r.status == "live"}
        if (stamp, live) == (self._stamp, self._live):
            return
        self._project = self._project.afresh()
        wanted = list(wanted_by(self._project.settings, live, now()))
        self._project.yard.mark(self._project.actor, lambda facts: jobs.settle(facts, wanted))
        self._stamp, self._live, self._next = stamp, live, None

    def _advance(self) -> list[Job]:
        moment = now()
        if self._next is not None and moment < self._next:
            return []
        asked = self._project.yard.mark(self._project.actor, lambda facts: jobs.advance(facts, moment))
        with self._project.yard.read() as facts:
            self._next = min((schedule.due for schedule in facts.schedules.list()), default=None)
        if self._next is None:
            self._next = moment + dt.timedelta(minutes=1)
        return asked

    def said(self, about: str, problem: str) -> None:
        """Say a problem when it is new, and when it is over."""
        before = self._said.get(about, "")
        if problem and problem != before:
            self._report(f"{about}: {problem}")
        elif before and not problem:
            self._report(f"{about}: all right again")
        self._said[about] = problem


class _Said:
    """Around what may fail and is tried again."""

    def __init__(self, clock: Clock, about: str) -> None:
        self._clock, self._about = clock, about

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ModelyardError | OSError):
            self._clock.said(self._about, str(error))
            return True
        if error is None:
            self._clock.said(self._about, "")
        return False


def wanted_by(
    settings: Settings, live: Collection[tuple[str, str]], moment: dt.datetime
) -> Iterator[Schedule]:
    """The clocks that the settings ask for: one for the windows of every model where it is live,
    and one for its triggers."""
    for environment, model in sorted(live):
        if environment not in settings.environments or model not in settings.models:
            continue
        every = _often(settings.monitor.get(model, MonitorSettings()))
        yield Schedule(
            name=f"monitor/{environment}/{model}",
            asked=Asked(kind="monitor", models=(model,), environment=environment),
            every=every,
            due=after(moment, every),
        )

    for model in settings.triggers:
        asked = Asked(kind="trigger", models=(model,))
        yield Schedule(name=f"trigger/{model}", asked=asked, every=_MINUTE, due=after(moment, _MINUTE))


def _often(settings: MonitorSettings) -> int:
    step = settings.every or settings.window
    return _OFTEN if step.endswith(" rows") or not step[0].isdigit() else int(span(step).total_seconds())
