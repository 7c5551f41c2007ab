"""The conformance kit of ``Yard``: subclass it and give it the fixture ``yard``, empty for each test."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from modelyard.errors import Misuse, ModelyardError
from modelyard.ports import Facts, Yard
from modelyard.records.event import Wanted
from modelyard.records.registry import Version
from modelyard.testing import samples
from modelyard.testing.alerts import AlertsKit
from modelyard.testing.expect import expected
from modelyard.testing.jobs import JobsKit
from modelyard.testing.labels import LabelsKit, SearchKit
from modelyard.testing.operations import add_version, change, do
from modelyard.testing.tokens import TokensKit
from modelyard.testing.windows import WindowsKit

__all__ = ["YardKit", "change", "do"]

T = TypeVar("T")


class _OnceKit:
    def test_an_operation_is_done_once(self, yard: Yard) -> None:
        calls = []

        def work(facts: Facts) -> Version:
            calls.append(facts)
            add_version(facts, facts.versions.next_number("screening"))
            facts.events.append("version.registered", "screening@1", number=1)
            return samples.version(1)

        first = yard.once("the same", "ann", work, Version)
        assert yard.once("the same", "ben", work, Version) == first == samples.version(1)
        assert len(calls) == 1
        with yard.read() as facts:
            assert [event.actor for event in facts.events.list()] == ["ann"]

    def test_what_raises_has_not_happened(self, yard: Yard) -> None:
        def work(facts: Facts) -> None:
            facts.versions.next_number("screening")
            facts.steps.put(samples.step())
            facts.events.append("x.y", "z")
            raise RuntimeError("in the middle")

        with expected(RuntimeError):
            yard.once("tried", "ann", work, type(None))
        with yard.read() as facts:
            assert facts.steps.get("identity") is None
            assert facts.events.list() == []
        assert yard.once("tried", "ann", lambda f: f.versions.next_number("screening"), int) == 1

    def test_a_result_of_another_kind_has_not_happened(self, yard: Yard) -> None:
        def work(facts: Facts) -> int:
            facts.steps.put(samples.step())
            return "no number"  # type: ignore[return-value]

        with expected(Exception):
            do(yard, work, int)
        with yard.read() as facts:
            assert facts.steps.get("identity") is None

    def test_operations_need_an_id_and_an_actor(self, yard: Yard) -> None:
        for operation, actor in (("", "ann"), ("op", "")):
            with expected(Misuse):
                yard.once(operation, actor, lambda _: 1, int)

    def test_text_that_is_not_unicode_is_refused(self, yard: Yard) -> None:
        with expected(Misuse):
            change(yard, lambda f: f.events.append("x.y", "broken \udcff"))
        with yard.read() as facts:
            assert facts.events.list() == []

    def test_threads_may_share_it(self, yard: Yard) -> None:
        def numbered(n: int) -> int:
            def work(facts: Facts) -> int:
                facts.events.append("number.taken", "screening", n=n)
                return facts.versions.next_number("screening")

            return yard.once(f"thread/{n % 30}", "ann", work, int)

        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(numbered, range(60)))
        assert sorted(numbers[:30]) == list(range(1, 31))
        assert numbers[:30] == numbers[30:]
        with yard.read() as facts:
            assert len(facts.events.list()) == 30


class _ReadKit:
    def test_a_reading_is_a_snapshot(self, yard: Yard) -> None:
        with yard.read() as facts:
            change(yard, lambda f: f.steps.put(samples.step()))
            assert facts.steps.get("identity") is None
        with yard.read() as facts:
            assert facts.steps.get("identity") == samples.step()

    def test_writing_through_a_reading_fails(self, yard: Yard) -> None:
        with yard.read() as facts:
            with expected(ModelyardError):
                facts.steps.put(samples.step())
            with expected(ModelyardError):
                facts.versions.next_number("screening")
            with expected(ModelyardError):
                facts.events.append("x.y", "z")
        with yard.read() as facts:
            assert facts.steps.get("identity") is None
            assert facts.events.list() == []

    def test_facts_end_with_their_transaction(self, yard: Yard) -> None:
        with yard.read() as facts:
            pass
        with expected(ModelyardError):
            facts.steps.get("identity")


class _NamesKit:
    def test_numbers_are_never_reused(self, yard: Yard) -> None:
        taken = [do(yard, lambda f: f.versions.next_number("screening"), int) for _ in range(3)]
        assert taken == [1, 2, 3]
        assert do(yard, lambda f: f.versions.next_number("other"), int) == 1
        assert do(yard, lambda f: f.datasets.next_number("patients"), int) == 1
        assert do(yard, lambda f: f.releases.next_id(), int) == 1
        assert do(yard, lambda f: f.releases.next_id(), int) == 2

    def test_models_and_datasets_share_one_namespace(self, yard: Yard) -> None:
        change(yard, lambda f: f.datasets.add(samples.dataset()))
        with expected(Misuse, naming="patients"):
            change(yard, lambda f: f.versions.next_number("patients"))
        with expected(Misuse, naming="patients"):
            change(yard, lambda f: f.runs.put(samples.run(model="patients")))
        change(yard, add_version)
        with expected(Misuse, naming="screening"):
            change(yard, lambda f: f.datasets.next_number("screening"))


class _NounsKit:
    def test_datasets(self, yard: Yard) -> None:
        first, second = samples.dataset(1), samples.dataset(2)
        change(yard, lambda f: f.datasets.add(first), lambda f: f.datasets.add(second))
        with yard.read() as facts:
            assert facts.datasets.get("patients", 1) == first
            assert facts.datasets.get("patients", 3) is None
            assert facts.datasets.latest("patients") == second
            assert facts.datasets.latest("nobody") is None
            assert facts.datasets.by_digest("patients", first.digest) == first
            assert facts.datasets.by_digest("nobody", first.digest) is None
            assert facts.datasets.list() == facts.datasets.list("patients") == [first, second]
            assert facts.datasets.list("nobody") == []
        with expected(ModelyardError):
            change(yard, lambda f: f.datasets.add(first))

    def test_runs(self, yard: Yard) -> None:
        old = samples.run("old")
        new = samples.run("new", started=samples.NOON + dt.timedelta(hours=1))
        failed = samples.run("bad", started=samples.NOON + dt.timedelta(hours=2), status="failed")
        for run in (new, samples.run("old", status="running"), failed):
            change(yard, lambda f, r=run: f.runs.put(r))  # type: ignore[misc]
        change(yard, lambda f: f.runs.put(old))
        with yard.read() as facts:
            assert facts.runs.get("old") == old
            assert facts.runs.get("none") is None
            assert facts.runs.latest("screening") == new
            assert facts.runs.latest("nobody") is None
            assert facts.runs.list() == facts.runs.list("screening") == [failed, new, old]

    def test_packages(self, yard: Yard) -> None:
        untested, tested = samples.package(report=None), samples.package()
        change(yard, lambda f: f.packages.put(untested))
        change(yard, lambda f: f.packages.put(tested))
        with yard.read() as facts:
            assert facts.packages.get(tested.digest) == tested
            assert facts.packages.get("none") is None
            assert facts.packages.list() == facts.packages.list("screening") == [tested]
            assert facts.packages.list("nobody") == []

    def test_versions(self, yard: Yard) -> None:
        change(yard, lambda f: add_version(f, 2), add_version)
        one, two = samples.version(1), samples.version(2)
        with yard.read() as facts:
            assert facts.versions.get("screening", 1) == one
            assert facts.versions.get("screening", 3) is None
            assert facts.versions.latest("screening") == two
            assert facts.versions.by_package("screening", one.package) == one
            assert facts.versions.by_package("nobody", one.package) is None
            assert facts.versions.list() == facts.versions.list("screening") == [one, two]
        with expected(ModelyardError):
            change(yard, lambda f: f.versions.add(one))

    def test_admissions(self, yard: Yard) -> None:
        change(yard, add_version, lambda f: add_version(f, 2))
        for n in (2, 1):
            change(yard, lambda f, n=n: f.admissions.add(samples.admission(n)))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.admissions.get("screening", 1, "test") == samples.admission(1)
            assert facts.admissions.get("screening", 1, "prod") is None
            assert facts.admissions.list("test", "screening") == [samples.admission(1), samples.admission(2)]
            assert facts.admissions.list("prod", "screening") == []

    def test_reviews_keep_their_order(self, yard: Yard) -> None:
        answers = [samples.review(yes=n % 2 == 0, reason=str(n)) for n in range(5)]
        change(yard, add_version)
        for answer in answers:
            change(yard, lambda f, a=answer: f.reviews.add(a))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.reviews.list("screening", 1) == answers
            assert facts.reviews.list("screening", 2) == []

    def test_steps(self, yard: Yard) -> None:
        first, again = samples.step(), samples.step(result="r2")
        later = samples.step("other", made=samples.NOON + dt.timedelta(seconds=1))
        earlier = samples.step("third", made=samples.NOON - dt.timedelta(seconds=1))
        for record in (first, again, later, earlier):
            change(yard, lambda f, r=record: f.steps.put(r))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.steps.get("identity") == again
            assert facts.steps.get("nothing") is None
            assert facts.steps.latest("screening/train") == later
            assert facts.steps.latest("screening/evaluate") is None

    def test_what_an_operation_gave_is_known(self, yard: Yard) -> None:
        yard.once("seven", "ann", lambda _: 7, int)
        with yard.read() as facts:
            assert facts.done("seven", int) == 7
            assert facts.done("eight", int) is None


class _ReleasesKit:
    def test_releases(self, yard: Yard) -> None:
        change(yard, add_version)
        wanted = samples.release(1)
        other = samples.release(2, environment="prod", status="live")
        change(yard, lambda f: f.releases.put(wanted), lambda f: f.releases.put(other))
        live = samples.release(1, status="live", finished=samples.NOON)
        with yard.read() as facts:
            assert facts.releases.get(1) == wanted
            assert facts.releases.get(9) is None
            assert facts.releases.live("test", "screening") is None
        change(yard, lambda f: f.releases.put(live))
        with yard.read() as facts:
            assert facts.releases.live("test", "screening") == live
            assert facts.versions.live("screening", "test") == samples.version(1)
            assert facts.versions.live("screening", "staging") is None
            assert facts.releases.list() == [other, live]
            assert facts.releases.list("test") == facts.releases.list("test", "screening") == [live]
            assert facts.releases.list(model="nobody") == []

    def test_one_release_is_live_at_most(self, yard: Yard) -> None:
        change(yard, add_version)
        change(yard, lambda f: f.releases.put(samples.release(1, status="live")))
        with expected(ModelyardError):
            change(yard, lambda f: f.releases.put(samples.release(2, status="live")))
        with yard.read() as facts:
            assert [r.id for r in facts.releases.list()] == [1]


class _EventsKit:
    def test_events_are_chained_in_order(self, yard: Yard) -> None:
        def two(facts: Facts) -> None:
            facts.events.append("a.first", "x", text='ünï"\\\n\u20ac😀', number=-(2**53) + 1)
            facts.events.append("a.second", "y")

        do(yard, two, type(None), actor="Änn")
        change(yard, lambda f: f.events.append("a.third", "z"))
        with yard.read() as facts:
            events = facts.events.list()
            assert [e.seq for e in events] == [1, 2, 3]
            assert [e.action for e in events] == ["a.first", "a.second", "a.third"]
            assert facts.events.list(last=2) == events[1:]
            assert facts.events.list(last=1, wanted=Wanted(action="a.second")) == events[1:2]
            assert [e.actor for e in events] == ["Änn", "Änn", "ann"]
            assert events[0].payload == {"text": 'ünï"\\\n\u20ac😀', "number": -(2**53) + 1}
            assert all(e.ts.utcoffset() == dt.timedelta(0) for e in events)
            assert len({e.prev for e in events}) == 3
            assert facts.events.list(after=1) == events[1:]
            assert facts.events.list(after=1, limit=1) == events[1:2]
            assert facts.events.list(limit=0) == []

    def test_events_are_looked_for(self, yard: Yard) -> None:
        with yard.read() as facts:
            assert facts.events.newest() is None
        for actor, action, object_ in (
            ("ann", "release.live", "screening@1"),
            ("bob", "release.live", "screening_2@1"),
            ("ann", "releases.x", "screening"),
        ):
            do(yard, lambda f, a=action, o=object_: f.events.append(a, o), type(None), actor=actor)  # type: ignore[misc]

        def seqs(**wanted: Any) -> list[int]:
            with yard.read() as facts:
                return [e.seq for e in facts.events.list(wanted=Wanted(**wanted))]

        with yard.read() as facts:
            newest = facts.events.newest()
            assert newest is not None
            assert newest.seq == 3
            second = facts.events.list(after=1, limit=1)[0].ts
            assert [e.seq for e in facts.events.list(after=1, limit=1, wanted=Wanted(actor="ann"))] == [3]
        assert seqs() == [1, 2, 3]
        assert seqs(actor="ann") == [1, 3]
        assert seqs(action="release") == [1, 2]
        assert seqs(action="release.live", object="screening_2") == [2]
        assert seqs(object="screening") == [1, 3]
        assert seqs(object="screening@1") == [1]
        assert seqs(since=second) == [2, 3]
        assert seqs(until=second) == [1]
        assert seqs(actor="%") == seqs(action="_elease") == seqs(object="scr%") == []

    def test_a_transaction_sees_its_own_events(self, yard: Yard) -> None:
        def work(facts: Facts) -> int:
            facts.events.append("x.y", "z")
            return len(facts.events.list())

        assert do(yard, work, int) == 1

    def test_payloads_hold_strings_and_integers_only(self, yard: Yard) -> None:
        for value in (True, 1.5, None, 2**53, ["list"]):
            with expected(Exception):
                change(yard, lambda f, v=value: f.events.append("x.y", "z", value=v))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.events.list() == []


class YardKit(
    _OnceKit,
    _ReadKit,
    _NamesKit,
    _NounsKit,
    LabelsKit,
    SearchKit,
    TokensKit,
    WindowsKit,
    JobsKit,
    AlertsKit,
    _ReleasesKit,
    _EventsKit,
):
    """What every yard promises."""
