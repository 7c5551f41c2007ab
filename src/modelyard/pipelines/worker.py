"""``worker``: takes jobs of the yard and has each done by a process of its own, as long as it is let.

A job is leased, and the lease is renewed with what the job printed. A worker that is gone or cannot reach the yard
for longer than the lease loses its jobs to others; what they find done they do not do again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from modelyard import alerts, jobs
from modelyard.errors import Outage
from modelyard.jobs.lease import Outcome
from modelyard.pipelines.leash import Child
from modelyard.pipelines.until import Until
from modelyard.ports import Facts
from modelyard.project import Project, now
from modelyard.records.job import OPEN, Job, JobKind
from modelyard.training import gone, myself

BEAT = 2.0
"""Seconds between two heartbeats."""
_LOOK = 1.0
"""Seconds between two looks for work."""
_TICK = 0.1
_PATIENCE = 10.0
"""Seconds that a job's process has to put its work away."""
_PIECE, _MOST = 64 << 10, 1 << 20
"""Bytes of what a job prints: at one heartbeat, and in all."""
RESULT = "result.json"


class Ended(msgspec.Struct, frozen=True):
    """What a job's process leaves: what came of it."""

    outcome: Outcome
    result: str = ""
    reason: str = ""


class Worker:
    """Does up to ``most`` jobs side by side, those of the queues ``only`` and of
    ``kinds``, or of all."""

    def __init__(
        self,
        project: Project,
        *,
        most: int,
        only: tuple[str, ...] = (),
        kinds: tuple[JobKind, ...] = (),
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._project, self._most, self._report = project, most, report
        self._only, self._kinds = only, kinds
        self.name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"
        self._process = myself()
        self._busy: dict[int, _Doing] = {}
        self._down = ""

    def run(self, until: Until, *, idle: bool = False) -> int:
        """Work until told to end, or with ``idle`` until there is nothing left; how many jobs it ended."""
        ended, look, beat = 0, 0.0, 0.0
        self._reached(self._sweep)
        while not until.ended:
            moment = time.monotonic()
            due = moment >= beat
            if due:
                beat = moment + BEAT
            for doing in list(self._busy.values()):
                ended += self._attend(doing, due=due)
            if len(self._busy) < self._most and moment >= look:
                taken = self._reached(self._take)
                look = moment if taken else moment + _LOOK
                if idle and taken is None and not self._busy and not self._down:
                    break
            until.wait(_TICK)
        self._put_away()
        return ended

    def _sweep(self) -> None:
        """Folders of jobs that ended elsewhere."""
        there = list(
            (self._project.home / "jobs").glob("*")
        )  # first: another worker's newest is no ended one
        with self._project.yard.read() as facts:
            kept = {str(job.id) for job in facts.jobs.list(*OPEN)}
        for place in there:
            if place.name not in kept:
                shutil.rmtree(place, ignore_errors=True)

    def _take(self) -> Job | None:
        job = self._mark(self._taken)
        if job is not None:
            self._report(f"job {job.id}: {job.asked.said}")
            self._busy[job.id] = _Doing(self._project, job)
        return job

    def _taken(self, facts: Facts) -> Job | None:
        """A job to do, and the alerts about those that were given up because no executor outlived them."""
        settings, running = self._project.settings, facts.jobs.list("running")
        job = jobs.take(
            facts,
            executor=self.name,
            process=self._process,
            now=now(),
            gone=gone,
            limits=settings.jobs.limits,
            only=self._only,
            kinds=self._kinds,
        )
        for one in running:
            if (kept := facts.jobs.get(one.id)) is not None and kept.state == "failed":
                alerts.job_ended(facts, kept, settings.alerts, now=now())
        return job

    def _attend(self, doing: _Doing, *, due: bool) -> int:
        """One look at a running job; 1 when it has ended."""
        if doing.child.code is not None:
            return self._end(doing)
        if due:
            text = doing.printed()
            kept = self._reached(partial(self._beat, doing.job, text))
            if self._down:
                doing.unsaid += text  # kept for the next one
            elif kept is None or kept.ending:
                self._drop(doing, "is another's by now" if kept is None else "was cancelled")
                return 1
        return 0

    def _end(self, doing: _Doing) -> int:
        if doing.ended is None:
            doing.child.gone(0.0)
            doing.ended = doing.came_of_it()
            doing.unsaid = doing.printed(rest=True)
        ended = doing.ended
        kept = self._reached(lambda: self._mark(partial(self._recorded, doing=doing, ended=ended)))
        if self._down:
            return 0  # said as soon as the yard answers again
        self._report(f"job {doing.job.id}: {kept.state if kept else 'is done by another'}")
        del self._busy[doing.job.id]
        if kept is None or kept.state != "queued":
            doing.clear()
        return 1

    def _recorded(self, facts: Facts, *, doing: _Doing, ended: Ended) -> Job | None:
        """What came of it, and the alert that this opens or ends."""
        kept = jobs.end(
            facts,
            doing.job.id,
            executor=self.name,
            outcome=ended.outcome,
            result=ended.result,
            reason=ended.reason,
            text=doing.unsaid,
            now=now(),
        )
        if kept is not None:
            alerts.job_ended(facts, kept, self._project.settings.alerts, now=now())
        return kept

    def _drop(self, doing: _Doing, why: str) -> None:
        doing.child.ask()
        doing.child.gone(_PATIENCE)
        text = doing.printed(rest=True)
        self._reached(
            lambda: self._mark(
                lambda facts: jobs.end(
                    facts, doing.job.id, executor=self.name, outcome="no", text=text, now=now()
                )
            )
        )
        self._report(f"job {doing.job.id}: {why}")
        del self._busy[doing.job.id]
        doing.clear()

    def _put_away(self) -> None:
        """Told to end: what runs is anybody's again, with what was done of it."""
        for doing in self._busy.values():
            doing.child.ask()
        deadline = time.monotonic() + _PATIENCE
        for doing in self._busy.values():
            doing.child.gone(max(0.0, deadline - time.monotonic()))
            give = partial(jobs.give_back, job_id=doing.job.id, executor=self.name, now=now())
            self._reached(partial(self._mark, give))
            self._report(f"job {doing.job.id}: given back")
        self._busy.clear()

    def _beat(self, job: Job, text: str) -> Job | None:
        return self._mark(lambda facts: jobs.beat(facts, job.id, executor=self.name, text=text, now=now()))

    def _mark(self, work: Callable[[Facts], Job | None]) -> Job | None:
        return self._project.yard.mark(self._project.actor, work)

    def _reached(self, work: Callable[[], Job | None]) -> Job | None:
        """None when the yard cannot be reached, which is said once."""
        try:
            found = work()
        except Outage as error:
            if not self._down:
                self._report(f"the yard cannot be reached, trying on: {error}")
            self._down = str(error)
            return None
        if self._down:
            self._report("the yard answers again")
        self._down = ""
        return found


class _Doing:
    """A job that is being done here."""

    def __init__(self, project: Project, job: Job) -> None:
        self.job = job
        self.unsaid = ""
        self.ended: Ended | None = None
        self._folder = folder(project, job)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT).unlink(missing_ok=True)
        self._log = self._folder / f"{job.tries}.log"
        self._read = self._log.stat().st_size if self._log.exists() else 0
        self._said = 0
        command = [sys.executable, "-m", "modelyard", "-C", str(project.root), "jobs", "perform", str(job.id)]
        self.child = Child(command, log=self._log, environ={**os.environ, "PYTHONUNBUFFERED": "1"})

    def printed(self, *, rest: bool = False) -> str:
        """What was printed since the last time, in whole lines unless it is the ``rest``."""
        text, self.unsaid = self.unsaid, ""
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read(_PIECE if not rest else _MOST)
        if not rest:
            new = new[: new.rfind(b"\n") + 1] if b"\n" in new or len(new) < _PIECE else new
        self._read += len(new)
        if new and self._said < _MOST:
            self._said += len(new)
            text += new.decode(errors="replace").replace("\0", "")
            if self._said >= _MOST:
                text += "\n(no more of this is kept)\n"
        return text

    def came_of_it(self) -> Ended:
        try:
            return msgspec.json.decode((self._folder / RESULT).read_bytes(), type=Ended)
        except (OSError, msgspec.MsgspecError):
            code = self.child.code or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return Ended("fault", reason=f"its process ended by {how} and left no word")

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def folder(project: Project, job: Job) -> Path:
    """Where a job is done on this machine."""
    return project.home / "jobs" / str(job.id)
