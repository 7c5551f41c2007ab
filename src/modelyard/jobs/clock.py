"""Clocks: what is wanted by settings, and what is due of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec.structs import replace

from modelyard.jobs.queue import CLOCK, queued
from modelyard.ports import Facts
from modelyard.records.job import Job, Schedule

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def after(moment: dt.datetime, every: int) -> dt.datetime:
    """The first whole multiple of so many seconds since the epoch that is later."""
    passed = (moment - _EPOCH) // dt.timedelta(seconds=every)
    return _EPOCH + dt.timedelta(seconds=every) * (passed + 1)


def settle(facts: Facts, wanted: Sequence[Schedule]) -> None:
    """Make the yard's clocks those that are wanted; one that did not change keeps its next moment."""
    there = {schedule.name: schedule for schedule in facts.schedules.list()}
    for schedule in wanted:
        before = there.pop(schedule.name, None)
        if before is None or before.every != schedule.every:
            facts.schedules.put(schedule)
        elif replace(schedule, due=before.due) != before:
            facts.schedules.put(replace(schedule, due=before.due))
    for name in there:
        facts.schedules.remove(name)


def advance(facts: Facts, now: dt.datetime) -> list[Job]:
    """Ask for what is due, and set each clock to its next moment, in one transaction.

    So no moment is asked for twice, whoever else advances them, and none is skipped by a process that is killed. Moments
    that nobody was there for are made up for by one job, and one that still waits does for the next moment too.
    """
    asked = []
    waiting = {job.asked for job in facts.jobs.list("queued")}
    for schedule in facts.schedules.due(now):
        if schedule.asked not in waiting:
            asked.append(
                queued(facts, schedule.asked, by=f"{CLOCK}{schedule.name}", due=schedule.due, now=now)
            )
        facts.schedules.put(replace(schedule, due=after(now, schedule.every)))
    return asked
