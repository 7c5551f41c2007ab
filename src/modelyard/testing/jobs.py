"""The conformance of jobs and clocks; a part of the yard's kit."""

from __future__ import annotations

import datetime as dt

from modelyard.ports import Facts, Yard
from modelyard.records.job import Said
from modelyard.testing import samples
from modelyard.testing.expect import expected
from modelyard.testing.operations import change, do


class JobsKit:
    def test_jobs(self, yard: Yard) -> None:
        first = do(yard, lambda f: f.jobs.next_id(), int)
        assert do(yard, lambda f: f.jobs.next_id(), int) == first + 1
        later = samples.NOON + dt.timedelta(seconds=1)
        one, two = samples.job(1, due=later), samples.job(2)
        change(yard, lambda f: f.jobs.put(one), lambda f: f.jobs.put(two))
        with yard.read() as facts:
            assert facts.jobs.get(1) == one
            assert facts.jobs.get(3) is None
            assert facts.jobs.list() == [two, one]
            assert facts.jobs.list(limit=1) == [two]
            assert facts.jobs.list("running", "done") == []
            assert facts.jobs.due(samples.NOON, 9) == [two]
            assert facts.jobs.due(later, 9) == [two, one]
            assert facts.jobs.due(later, 1) == [two]
        running = samples.job(2, state="running")
        change(yard, lambda f: f.jobs.put(running))
        with yard.read() as facts:
            assert facts.jobs.list("running") == [running]
            assert facts.jobs.due(later, 9) == [one]

    def test_what_jobs_print(self, yard: Yard) -> None:
        change(yard, lambda f: f.jobs.put(samples.job(1)), lambda f: f.jobs.put(samples.job(2)))
        for text in ("a\n", "é\n"):
            change(yard, lambda f, text=text: f.jobs.say(1, text))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.jobs.said(1) == [Said(1, "a\n"), Said(2, "é\n")]
            assert facts.jobs.said(1, after=1) == [Said(2, "é\n")]
            assert facts.jobs.said(2) == []

    def test_old_jobs_are_dropped_with_what_they_printed(self, yard: Yard) -> None:
        old = samples.job(1, state="done", ended=samples.NOON)
        change(
            yard,
            lambda f: f.jobs.put(old),
            lambda f: f.jobs.say(1, "x"),
            lambda f: f.jobs.put(samples.job(2)),
        )
        assert do(yard, lambda f: f.jobs.drop(samples.NOON), int) == 0
        assert do(yard, lambda f: f.jobs.drop(samples.NOON + dt.timedelta(seconds=1)), int) == 1
        with yard.read() as facts:
            assert facts.jobs.list() == [samples.job(2)]
            assert facts.jobs.said(1) == []
        change(yard, lambda f: f.jobs.say(2, "y"), lambda f: f.jobs.remove(2), lambda f: f.jobs.remove(9))
        with yard.read() as facts:
            assert facts.jobs.list() == []
            assert facts.jobs.said(2) == []

    def test_schedules(self, yard: Yard) -> None:
        hour = dt.timedelta(hours=1)
        one, two = samples.schedule("b"), samples.schedule("a", due=samples.NOON + hour)
        change(yard, lambda f: f.schedules.put(one), lambda f: f.schedules.put(two))
        with yard.read() as facts:
            assert facts.schedules.list() == [two, one]
            assert facts.schedules.due(samples.NOON) == [one]
            assert facts.schedules.due(samples.NOON + hour) == [one, two]
        change(yard, lambda f: f.schedules.remove("b"), lambda f: f.schedules.remove("none"))
        with yard.read() as facts:
            assert facts.schedules.list() == [two]

    def test_a_mark_is_a_transaction_that_is_no_operation(self, yard: Yard) -> None:
        for n in (1, 2):
            yard.mark("ann", lambda f, n=n: f.jobs.put(samples.job(n)))  # type: ignore[misc]
        for work in (_fails, _appends):
            with expected(Exception):
                yard.mark("ann", work)
        with yard.read() as facts:
            assert [job.id for job in facts.jobs.list()] == [2, 1]
            assert facts.events.list() == []


def _fails(facts: Facts) -> None:
    facts.jobs.put(samples.job(3))
    raise RuntimeError("in the middle")


def _appends(facts: Facts) -> None:
    facts.jobs.put(samples.job(3))
    facts.events.append("x.y", "z")
