"""The queue: who gets which job, and what becomes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard import jobs
from modelyard.errors import Misuse, UnknownName
from modelyard.jobs.lease import FAULTS, LOSSES
from modelyard.ports import Yard
from modelyard.records.job import Asked, Job
from modelyard.records.run import Process
from modelyard.storage.database import open_yard
from modelyard.testing.samples import NOON
from modelyard.testing.yard import change, do

HERE = Process(host="here", pid=1, born=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path)


def build(model: str = "screening", **fields: Any) -> Asked:
    return Asked(kind="build", models=(model,), **fields)


def asked(yard: Yard, what: Asked, at: dt.datetime = NOON) -> Job:
    return do(yard, lambda f: jobs.ask(f, what, by="ann", now=at), Job)


def taken(
    yard: Yard,
    executor: str = "one",
    at: dt.datetime = NOON,
    *,
    gone: Callable[[Process], bool] = lambda _: False,
    **words: Any,
) -> Job | None:
    words = {"limits": {}, **words}
    return yard.mark(
        "ann", lambda f: jobs.take(f, executor=executor, process=HERE, now=at, gone=gone, **words)
    )


def test_the_one_that_waited_longest_is_taken_once(yard: Yard) -> None:
    first, second = asked(yard, build("a")), asked(yard, build("b"), NOON + SECOND)
    one, two = taken(yard, "one", NOON + SECOND), taken(yard, "two", NOON + SECOND)
    assert (one and one.id, two and two.id) == (first.id, second.id)
    assert one
    assert (one.state, one.executor, one.tries, one.lease) == (
        "running",
        "one",
        1,
        NOON + SECOND + jobs.LEASE,
    )
    assert taken(yard, "three", NOON + SECOND) is None


def test_many_that_may_not_begin_keep_nobody_from_the_others(yard: Yard) -> None:
    def many(facts: Any) -> None:
        for n in range(250):
            jobs.ask(facts, build(snapshot=f"{n:064}"), by="ann", now=NOON)

    change(yard, many)
    last = asked(yard, Asked(kind="monitor", environment="prod"), NOON + SECOND)
    found = taken(yard, at=NOON + SECOND, limits={"build": 0})
    assert found
    assert found.id == last.id
    assert taken(yard, at=NOON + SECOND, limits={"build": 0}) is None


def test_the_same_asked_twice_is_one_job_until_it_begins(yard: Yard) -> None:
    first = asked(yard, build(snapshot="0" * 64))
    assert asked(yard, build(snapshot="0" * 64)).id == first.id
    assert asked(yard, build(snapshot="1" * 64)).id != first.id
    taken(yard)
    assert asked(yard, build(snapshot="0" * 64)).id not in (first.id, first.id + 1)
    with yard.read() as facts:
        assert [e.action for e in facts.events.list()] == ["job.asked"] * 3


def test_a_lane_has_one_job_at_a_time_and_a_queue_its_limit(yard: Yard) -> None:
    for snapshot in "01":
        asked(yard, build("a", snapshot=snapshot * 64))
    asked(yard, build("b"))
    asked(yard, Asked(kind="monitor", models=("a",), environment="prod"))
    found = [taken(yard, limits={"build": 2}) for _ in range(4)]
    assert [job.asked.lane for job in found if job] == ["build//a", "build//b", "monitor/prod/a"]
    assert taken(yard, limits={"build": 9}) is None, "the lane is busy"


def test_a_worker_serves_the_queues_that_it_is_for(yard: Yard) -> None:
    asked(yard, build())
    asked(yard, Asked(kind="monitor", models=("screening",), environment="prod"))
    found = taken(yard, only=("prod",))
    assert found
    assert found.asked.kind == "monitor"
    assert taken(yard, only=("prod",)) is None
    assert taken(yard, limits={"build": 0}) is None


def test_a_job_whose_lease_is_over_is_taken_over(yard: Yard) -> None:
    job = asked(yard, build())
    taken(yard, "one")
    later = NOON + jobs.LEASE
    kept = yard.mark("ann", lambda f: jobs.beat(f, job.id, executor="one", now=NOON + SECOND, text="at it\n"))
    assert kept
    assert kept.lease == later + SECOND
    assert taken(yard, "two", later + SECOND) is None
    again = taken(yard, "two", later + 2 * SECOND)
    assert again
    assert (again.id, again.executor, again.tries, again.lost) == (job.id, "two", 2, 1)
    with yard.read() as facts:
        assert [piece.text for piece in facts.jobs.said(job.id)] == ["at it\n"]
    for late in (
        lambda f: jobs.beat(f, job.id, executor="one", now=later),
        lambda f: jobs.end(f, job.id, executor="one", outcome="done", now=later),
        lambda f: jobs.give_back(f, job.id, executor="one", now=later),
    ):
        assert yard.mark("ann", late) is None
    with yard.read() as facts:
        assert facts.jobs.get(job.id) == again


def test_a_job_whose_process_is_gone_waits_for_no_lease(yard: Yard) -> None:
    job = asked(yard, build())
    taken(yard, "one")
    again = taken(yard, "two", NOON + SECOND, gone=lambda process: process == HERE)
    assert again
    assert (again.id, again.lost) == (job.id, 1)


def test_what_takes_every_executor_with_it_fails_at_last(yard: Yard) -> None:
    job = asked(yard, build())
    for _ in range(LOSSES):
        assert taken(yard, gone=lambda _: True)
    assert taken(yard, gone=lambda _: True) is None
    with yard.read() as facts:
        ended = facts.jobs.get(job.id)
    assert ended
    assert (ended.state, ended.lost) == ("failed", LOSSES)
    assert "executors were lost" in ended.reason


def test_a_fault_is_tried_again_later_each_time_and_then_no_more(yard: Yard) -> None:
    job, moment, waits = asked(yard, build()), NOON, []
    for _ in range(FAULTS):
        assert taken(yard, "one", moment)
        ended = yard.mark(
            "ann",
            lambda f, at=moment: jobs.end(  # type: ignore[misc]
                f, job.id, executor="one", outcome="fault", reason="the store is away", now=at
            ),
        )
        waits.append(ended.due - moment)
        assert taken(yard, "one", moment) is None
        moment = ended.due
    assert waits[:4] == [10 * SECOND, 20 * SECOND, 40 * SECOND, 80 * SECOND]
    assert (ended.state, ended.reason) == ("failed", f"the store is away (tried {FAULTS} times)")


def test_a_no_is_an_answer_and_is_done_again_only_by_hand(yard: Yard) -> None:
    job = asked(yard, build())
    taken(yard)
    yard.mark("ann", lambda f: jobs.end(f, job.id, executor="one", outcome="no", reason="gate", now=NOON))
    assert taken(yard, at=NOON + dt.timedelta(days=9)) is None
    again = do(yard, lambda f: jobs.again(f, job.id, now=NOON), Job)
    assert (again.state, again.tries, again.reason) == ("queued", 0, "")
    with pytest.raises(Misuse, match="only one that failed or was cancelled"):
        change(yard, lambda f: jobs.again(f, job.id, now=NOON))
    assert taken(yard)


def test_cancelling(yard: Yard) -> None:
    waits, runs = asked(yard, build("a"), NOON + SECOND), asked(yard, build("b"))
    assert (found := taken(yard))
    assert found.id == runs.id
    ended = do(yard, lambda f: jobs.cancel(f, waits.id, now=NOON), Job)
    assert ended.state == "cancelled"
    told = do(yard, lambda f: jobs.cancel(f, runs.id, now=NOON), Job)
    assert (told.state, told.ending) == ("running", True)
    kept = yard.mark("ann", lambda f: jobs.beat(f, runs.id, executor="one", now=NOON))
    assert kept
    assert kept.ending, "which is how its worker hears of it"
    yard.mark("ann", lambda f: jobs.end(f, runs.id, executor="one", outcome="no", now=NOON))
    with yard.read() as facts:
        assert {job.state for job in facts.jobs.list()} == {"cancelled"}
    other = asked(yard, build("c"))
    taken(yard)
    yard.mark("ann", lambda f: jobs.end(f, other.id, executor="one", outcome="done", now=NOON))
    with pytest.raises(Misuse, match="done already"):
        change(yard, lambda f: jobs.cancel(f, other.id, now=NOON))
    with pytest.raises(UnknownName, match="no job 99"):
        change(yard, lambda f: jobs.cancel(f, 99, now=NOON))


def test_a_cancelled_job_whose_worker_is_lost_is_not_begun_again(yard: Yard) -> None:
    job = asked(yard, build())
    taken(yard)
    change(yard, lambda f: jobs.cancel(f, job.id, now=NOON))
    assert taken(yard, gone=lambda _: True) is None
    with yard.read() as facts:
        ended = facts.jobs.get(job.id)
    assert ended
    assert ended.state == "cancelled"


def test_a_worker_that_is_stopped_gives_its_job_back(yard: Yard) -> None:
    job = asked(yard, build())
    taken(yard, "one")
    given = yard.mark("ann", lambda f: jobs.give_back(f, job.id, executor="one", now=NOON))
    assert given
    assert (given.state, given.lost) == ("queued", 0)
    again = taken(yard, "two")
    assert again
    assert again.id == job.id
