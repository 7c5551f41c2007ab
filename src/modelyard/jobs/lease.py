"""What executors do with jobs: take one, stay with it, end it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec.structs import replace

from modelyard.jobs.queue import CLOCK
from modelyard.ports import Facts
from modelyard.records.job import Job, JobKind
from modelyard.records.run import Process

LEASE = dt.timedelta(seconds=30)
"""After the last heartbeat of its executor a job is taken to be without one."""
FAULTS = 5
"""A job that something outside failed so often is not tried again by itself."""
LOSSES = 20
"""One that took so many executors with it probably ends them."""
_FIRST, _LONGEST = dt.timedelta(seconds=10), dt.timedelta(minutes=10)
_LOOK = 200
"""So many of the waiting jobs are looked at for one that may begin; where none of them may, four times as many."""
Outcome = Literal["done", "no", "fault"]


def take(
    facts: Facts,
    *,
    executor: str,
    process: Process,
    now: dt.datetime,
    gone: Callable[[Process], bool],
    limits: Mapping[str, int],
    only: tuple[str, ...] = (),
    kinds: tuple[JobKind, ...] = (),
) -> Job | None:
    """The job that has waited longest and may begin, leased to the executor; None when there is none.

    ``limits`` say how many of a queue may run at once in the whole yard; ``only`` are the queues that this executor
    serves. ``gone`` says of a process that it has ended, which is known on its own machine alone.
    """
    for job in facts.jobs.list("running"):
        if (job.process and gone(job.process)) or job.lease is None or job.lease < now:
            _recover(facts, job, now)
    running = facts.jobs.list("running")
    lanes = {job.asked.lane for job in running}
    busy = Counter(job.asked.queue for job in running)
    for job in _waiting(facts, now):
        queue = job.asked.queue
        wanted = (not only or queue in only) and (not kinds or job.asked.kind in kinds)
        full = queue in limits and busy[queue] >= limits[queue]
        if wanted and not full and job.asked.lane not in lanes:
            begun = replace(
                job,
                state="running",
                tries=job.tries + 1,
                executor=executor,
                process=process,
                lease=now + LEASE,
                began=now,
                ended=None,
            )
            facts.jobs.put(begun)
            return begun
    return None


def _waiting(facts: Facts, now: dt.datetime) -> Iterator[Job]:
    """Those that are due, the longest first: many that may not begin keep nobody from the others."""
    seen, look = 0, _LOOK
    while True:
        found = facts.jobs.due(now, look)
        yield from found[seen:]
        if len(found) < look:
            return
        seen, look = len(found), 4 * look


def _recover(facts: Facts, job: Job, now: dt.datetime) -> None:
    """Its executor is gone: it is anybody's again."""
    lost = replace(job, lost=job.lost + 1, lease=None, process=None)
    if job.ending:
        facts.jobs.put(replace(lost, state="cancelled", ended=now, reason="cancelled while it ran"))
    elif lost.lost >= LOSSES:
        reason = f"{lost.lost} executors were lost while they did it, {job.executor} last"
        facts.jobs.put(replace(lost, state="failed", ended=now, reason=reason))
    else:
        facts.jobs.put(replace(lost, state="queued", due=now, reason=f"its executor {job.executor} was lost"))


def beat(facts: Facts, job_id: int, *, executor: str, now: dt.datetime, text: str = "") -> Job | None:
    """Stay with the job, and keep what it printed; None when it is another's by now, or nobody's."""
    job = _own(facts, job_id, executor)
    if job is None:
        return None
    if text:
        facts.jobs.say(job.id, text)
    kept = replace(job, lease=now + LEASE)
    facts.jobs.put(kept)
    return kept


def end(
    facts: Facts,
    job_id: int,
    *,
    executor: str,
    outcome: Outcome,
    now: dt.datetime,
    result: str = "",
    reason: str = "",
    text: str = "",
) -> Job | None:
    """Say what came of it; None when it is another's by now.

    ``done`` ends it well. A ``no`` (a gate, wrong data, an author's error) would be one again, so the job has failed;
    after a ``fault`` of something outside it is tried again, later each time, until that was ``FAULTS`` times. What a
    clock asked for and gave nothing is forgotten.
    """
    job = _own(facts, job_id, executor)
    if job is None:
        return None
    if text:
        facts.jobs.say(job.id, text)
    ended = replace(job, lease=None, process=None, ended=now, result=result, reason=reason)
    if outcome == "done":
        ended = replace(ended, state="done", ending=False)
    elif job.ending:
        ended = replace(ended, state="cancelled", reason="cancelled while it ran")
    elif outcome == "no":
        ended = replace(ended, state="failed")
    elif job.faults + 1 >= FAULTS:
        ended = replace(ended, state="failed", faults=FAULTS, reason=f"{reason} (tried {FAULTS} times)")
    else:
        wait = min(_FIRST * 2**job.faults, _LONGEST)
        ended = replace(ended, state="queued", faults=job.faults + 1, due=now + wait, ended=None)
    if ended.state == "done" and not result and job.by.startswith(CLOCK):
        facts.jobs.remove(job.id)
    else:
        facts.jobs.put(ended)
    return ended


def give_back(facts: Facts, job_id: int, *, executor: str, now: dt.datetime) -> Job | None:
    """Of an executor that ends as it was told to: the job is anybody's at once, and counts as no loss."""
    job = _own(facts, job_id, executor)
    if job is None:
        return None
    if job.ending:
        returned = replace(job, state="cancelled", ended=now, reason="cancelled while it ran")
    else:
        returned = replace(job, state="queued", due=now, reason=f"{executor} was stopped")
    facts.jobs.put(replace(returned, lease=None, process=None))
    return returned


def _own(facts: Facts, job_id: int, executor: str) -> Job | None:
    job = facts.jobs.get(job_id)
    return job if job and job.state == "running" and job.executor == executor else None
