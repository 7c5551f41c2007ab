"""Where retrainings are, folded from the audit trail."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from msgspec.structs import replace

from modelyard import registry
from modelyard.ports import Facts, Yard
from modelyard.records.trigger import Decision, Outcome, Retraining, State
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing.yard import change

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path)


def yes(name: str, model: str = "m") -> Decision:
    return Decision(
        model=model,
        environment="prod",
        verdict="yes",
        why="build",
        reason="Something was seen.",
        state=State(moment=NOW),
        policy="p",
        operation=f"retrain/{model}/{name}",
    )


def begun(yard: Yard, name: str, at: dt.datetime = NOW, model: str = "m") -> Retraining:
    found: list[Retraining] = []
    change(yard, lambda f: found.append(registry.commence(f, yes(name, model), by="ann", now=at)))
    return found[0]


def ended(yard: Yard, name: str, outcome: Outcome, at: dt.datetime = NOW, key: str = "") -> Retraining:
    one = begun(yard, name, at)
    change(yard, lambda f: registry.proceed(f, replace(one, key=key)) if key else None)
    found: list[Retraining] = []
    change(yard, lambda f: found.append(registry.conclude(f, replace(one, key=key), outcome, "because", at)))
    return found[0]


def all_(yard: Yard, model: str = "m") -> list[Retraining]:
    with yard.read() as facts:
        return registry.retrainings(facts, model)


def actions(yard: Yard) -> list[str]:
    with yard.read() as facts:
        return [event.action for event in facts.events.list()]


def test_one_at_a_time_and_others_join_it(yard: Yard) -> None:
    first = begun(yard, "a")
    assert begun(yard, "b") == first, "another occasion joins"
    assert begun(yard, "c", model="n").operation == "retrain/n/c", "another model does not"
    change(yard, lambda f: registry.conclude(f, first, "live", "all is well", NOW))
    assert begun(yard, "a").outcome == "live", "the same occasion does not begin again"
    second = begun(yard, "b", NOW + DAY)
    assert (second.number, second.outcome) == (2, None)
    assert [one.number for one in all_(yard)] == [2, 1]
    assert verify(yard) == len(actions(yard))


def test_steps_are_told_once_and_an_end_is_the_end(yard: Yard) -> None:
    one = begun(yard, "a")
    further = replace(one, data="d@2")
    waiting = replace(further, waits="for a review")
    for record in (further, further, waiting, waiting, further):
        change(yard, lambda f, record=record: registry.proceed(f, record))  # type: ignore[misc]
    assert actions(yard) == ["retraining.begun", "retraining.moved", "retraining.waits", "retraining.moved"]
    change(yard, lambda f: registry.conclude(f, further, "refused", "too bad", NOW))
    change(yard, lambda f: registry.conclude(f, further, "live", "after all", NOW))
    change(yard, lambda f: registry.proceed(f, replace(further, version=9)))
    [found] = all_(yard)
    assert (found.outcome, found.said, found.version) == ("refused", "too bad", 0)
    with yard.read() as facts:
        assert registry.under_way(facts, "m") is None


def test_a_reason_may_be_anything(yard: Yard) -> None:
    one = begun(yard, "a")
    change(yard, lambda f: registry.conclude(f, one, "failed", "broken \udcff " + "x" * 9000, NOW))
    assert len(all_(yard)[0].said) <= 2000
    assert verify(yard)


def test_failures_in_a_row_end_with_what_was_built(yard: Yard) -> None:
    def failures() -> tuple[int, dt.datetime | None]:
        return registry.failures(all_(yard))

    assert failures() == (0, None)
    ended(yard, "a", "failed", NOW)
    ended(yard, "b", "failed", NOW + DAY)
    assert failures() == (2, NOW + DAY)
    ended(yard, "c", "unchanged", NOW + 2 * DAY)
    assert failures() == (2, NOW + DAY), "nothing was built by it"
    ended(yard, "d", "refused", NOW + 3 * DAY)
    assert failures() == (0, None)


def test_a_week_counts_what_was_built_and_what_is_under_way(yard: Yard) -> None:
    for at, (name, outcome) in enumerate(
        [("a", "live"), ("b", "unchanged"), ("c", "failed"), ("d", "rolled_back")]
    ):
        ended(yard, name, outcome, NOW + at * DAY)  # type: ignore[arg-type]
    begun(yard, "e", NOW + 4 * DAY)
    assert registry.this_week(all_(yard), NOW + 4 * DAY) == 4
    assert registry.this_week(all_(yard), NOW + 8 * DAY) == 3
    assert registry.this_week(all_(yard), NOW + 30 * DAY) == 0


def test_what_was_judged_once_is_built_and_what_failed_is_not(yard: Yard) -> None:
    key = registry.key("p", "d@2", "c")
    assert registry.key("p", "d@3", "c") != key
    ended(yard, "a", "failed", key=key)
    assert not registry.built(all_(yard), key)
    ended(yard, "b", "refused", NOW + DAY, key=key)
    assert registry.built(all_(yard), key)


def test_decisions_are_read_back_newest_last(yard: Yard) -> None:
    for name in "abc":
        change(yard, lambda f, name=name: registry.decided(f, yes(name)))  # type: ignore[misc]
    change(yard, lambda f: registry.decided(f, yes("x", "other")))

    def last(facts: Facts, count: int) -> list[str]:
        return [one.operation[-1] for one in registry.decisions(facts, "m", last=count)]

    with yard.read() as facts:
        assert (last(facts, 1), last(facts, 2), last(facts, 9)) == (["c"], ["b", "c"], ["a", "b", "c"])
