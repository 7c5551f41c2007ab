"""Clocks: no moment twice, none skipped."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelyard import jobs
from modelyard.jobs.clock import after
from modelyard.ports import Yard
from modelyard.records.job import Asked, Job, Schedule
from modelyard.storage.database import open_yard

DAY = dt.datetime(2026, 3, 28, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path)


def schedule(name: str = "monitor/prod/a", *, every: int = 60, due: dt.datetime = DAY) -> Schedule:
    asked = Asked(kind="monitor", models=(name.rpartition("/")[2],), environment="prod")
    return Schedule(name=name, asked=asked, every=every, due=due)


def settle(yard: Yard, *wanted: Schedule) -> None:
    yard.mark("ann", lambda f: jobs.settle(f, wanted))


def advance(yard: Yard, moment: dt.datetime) -> list[Job]:
    return yard.mark("ann", lambda f: jobs.advance(f, moment))


@given(st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1)), st.integers(1, 10**6))
def test_the_next_moment_is_the_first_multiple_that_is_later(moment: dt.datetime, every: int) -> None:
    moment = moment.replace(tzinfo=dt.UTC)
    found = after(moment, every)
    assert moment < found <= moment + dt.timedelta(seconds=every)
    assert found.timestamp() % every == 0


def test_a_moment_is_asked_for_once(yard: Yard) -> None:
    settle(yard, schedule())
    assert advance(yard, DAY - MINUTE) == []
    [job] = advance(yard, DAY + MINUTE / 2)
    assert job.due == DAY
    assert advance(yard, DAY + MINUTE / 2) == []
    yard.mark("ann", lambda f: f.jobs.put(replace(job, state="done", ended=DAY)))
    [job] = advance(yard, DAY + MINUTE)
    assert job.due == DAY + MINUTE


def test_what_nobody_was_there_for_is_made_up_for_by_one(yard: Yard) -> None:
    settle(yard, schedule())
    [job] = advance(yard, DAY + 3.5 * MINUTE)
    assert job.due == DAY
    assert advance(yard, DAY + 4 * MINUTE) == [], "the one before still waits, and does for both"
    yard.mark("ann", lambda f: f.jobs.put(replace(job, state="done", ended=DAY)))
    [job] = advance(yard, DAY + 5 * MINUTE)
    assert job.due == DAY + 5 * MINUTE


def test_settings_that_did_not_change_set_no_clock_back(yard: Yard) -> None:
    settle(yard, schedule())
    advance(yard, DAY)
    settle(yard, schedule())
    assert advance(yard, DAY) == []
    yard.mark("ann", lambda f: f.jobs.put(replace(f.jobs.list()[0], state="done", ended=DAY)))
    settle(yard, schedule(every=30))
    assert len(advance(yard, DAY)) == 1, "another clock"
    settle(yard)
    assert advance(yard, DAY + 60 * MINUTE) == []


def test_many_that_advance_at_once_ask_once(tmp_path: Path) -> None:
    yards = [open_yard("sqlite:///yard.db", tmp_path) for _ in range(4)]
    settle(yards[0], *(schedule(f"monitor/prod/m{n}") for n in range(20)))
    found: list[Job] = []

    def go(yard: Yard) -> None:
        found.extend(advance(yard, DAY))

    threads = [threading.Thread(target=go, args=(yard,)) for yard in yards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.asked.models for job in found) == sorted((f"m{n}",) for n in range(20))
