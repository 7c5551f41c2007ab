"""Jobs in the database, with what they print."""

from __future__ import annotations

import builtins
import datetime as dt

import sqlalchemy as sa

from modelyard.records.job import Job, JobState, Said
from modelyard.storage.schema import jobs, said
from modelyard.storage.transaction import Transaction, encoded, microseconds


class SqlJobs:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def next_id(self) -> int:
        return self._transaction.next("job")

    def put(self, job: Job) -> None:
        self._transaction.put(
            jobs,
            {"id": job.id},
            state=job.state,
            due=microseconds(job.due),
            ended=microseconds(job.ended) if job.ended else None,
            record=encoded(job),
        )

    def get(self, job_id: int) -> Job | None:
        return self._transaction.first(sa.select(jobs.c.record).where(jobs.c.id == job_id), Job)

    def list(self, *states: JobState, limit: int | None = None) -> builtins.list[Job]:
        query = sa.select(jobs.c.record).order_by(jobs.c.id.desc()).limit(limit)
        if states:
            query = query.where(jobs.c.state.in_(states))
        return self._transaction.all(query, Job)

    def due(self, now: dt.datetime, limit: int) -> builtins.list[Job]:
        query = (
            sa.select(jobs.c.record)
            .where(jobs.c.state == "queued", jobs.c.due <= microseconds(now))
            .order_by(jobs.c.due, jobs.c.id)
            .limit(limit)
        )
        return self._transaction.all(query, Job)

    def say(self, job_id: int, text: str) -> None:
        newest = sa.select(sa.func.max(said.c.number)).where(said.c.job == job_id)
        number = (self._transaction.query(newest).scalar() or 0) + 1
        self._transaction.insert(said, job=job_id, number=number, text=text)

    def said(self, job_id: int, *, after: int = 0) -> builtins.list[Said]:
        query = sa.select(said.c.number, said.c.text).where(said.c.job == job_id, said.c.number > after)
        rows = self._transaction.query(query.order_by(said.c.number)).mappings()
        return [Said(row["number"], row["text"]) for row in rows]

    def remove(self, job_id: int) -> None:
        self._transaction.write(said.delete().where(said.c.job == job_id))
        self._transaction.write(jobs.delete().where(jobs.c.id == job_id))

    def drop(self, before: dt.datetime) -> int:
        old = sa.select(jobs.c.id).where(jobs.c.ended < microseconds(before))
        self._transaction.write(said.delete().where(said.c.job.in_(old)))
        return self._transaction.write(jobs.delete().where(jobs.c.ended < microseconds(before)))
