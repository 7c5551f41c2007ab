"""What people do with jobs: ask for one, end it, have it done again."""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.job import OPEN, Asked, Job

CLOCK = "schedule "
"""What a job is asked by begins with, where a clock did."""


def ask(facts: Facts, asked: Asked, *, by: str, now: dt.datetime) -> Job:
    """Put it to the queue. Where the same already waits for its first try, that is it."""
    for job in facts.jobs.list("queued"):
        if job.asked == asked and not job.tries:
            return job
    job = queued(facts, asked, by=by, due=now, now=now)
    facts.events.append(
        "job.asked",
        f"job/{job.id}",
        kind=asked.kind,
        models=", ".join(asked.models),
        environment=asked.environment,
        snapshot=asked.snapshot,
    )
    return job


def queued(facts: Facts, asked: Asked, *, by: str, due: dt.datetime, now: dt.datetime) -> Job:
    """A new job, without an event: what a clock asks for is no decision of anybody."""
    job = Job(id=facts.jobs.next_id(), asked=asked, state="queued", by=by, since=now, due=due)
    facts.jobs.put(job)
    return job


def found(facts: Facts, job_id: int) -> Job:
    """Raises ``UnknownName``."""
    if (job := facts.jobs.get(job_id)) is None:
        raise UnknownName(f"There is no job {job_id}; see 'modelyard jobs'.")
    return job


def cancel(facts: Facts, job_id: int, *, now: dt.datetime) -> Job:
    """It is not begun any more; where it runs, its executor ends it. Raises ``Misuse`` for one that has ended."""
    job = found(facts, job_id)
    if job.state == "cancelled" or job.ending:
        return job
    if job.state not in OPEN:
        raise Misuse(f"Job {job.id} is {job.state} already; there is nothing to cancel.")
    if job.state == "queued":
        changed = replace(job, state="cancelled", ended=now, reason="cancelled before it began")
    else:
        changed = replace(job, ending=True)
    facts.jobs.put(changed)
    facts.events.append("job.cancelled", f"job/{job.id}", kind=job.asked.kind, state=job.state)
    return changed


def again(facts: Facts, job_id: int, *, now: dt.datetime) -> Job:
    """Have it done once more, as if it had never been tried. Raises ``Misuse`` unless it failed or was cancelled."""
    job = found(facts, job_id)
    if job.state not in ("failed", "cancelled"):
        raise Misuse(f"Job {job.id} is {job.state}; only one that failed or was cancelled is done again.")
    changed = replace(
        job, state="queued", due=now, tries=0, faults=0, lost=0, ending=False, ended=None, reason=""
    )
    facts.jobs.put(changed)
    facts.events.append("job.retried", f"job/{job.id}", kind=job.asked.kind, reason=job.reason[:300])
    return changed
