"""The policy as a function: whatever fired and however things stand."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.gates import policy
from modelyard.records.trigger import Decision, Fired, State, TriggerKind
from modelyard.settings import PolicySettings
from modelyard.settings.spans import span

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)

policies = st.builds(
    PolicySettings,
    drift=st.sampled_from(["investigate", "retrain"]),
    estimated_quality=st.sampled_from(["ask", "retrain"]),
    cool_down=st.sampled_from(["1s", "12h", "1d", "30d"]),
    most_a_week=st.integers(1, 5),
    min_labelled=st.integers(0, 500),
    attempts=st.integers(1, 5),
    back_off=st.sampled_from(["1m", "1h", "2d"]),
)
fired_one = st.builds(
    Fired,
    kind=st.sampled_from(KINDS),
    evidence=st.text("abc", max_size=3),
    sentence=st.just("Something was seen."),
)
fireds = st.lists(fired_one, max_size=5)
past = st.none() | st.timedeltas(dt.timedelta(), dt.timedelta(days=40)).map(lambda ago: NOW - ago)
states = st.builds(
    State,
    moment=st.just(NOW),
    live=st.integers(0, 9),
    under_way=st.sampled_from(["", "retrain/m/1"]),
    begun=past,
    this_week=st.integers(0, 6),
    failures=st.integers(0, 6),
    failed=past,
    data=st.sampled_from(["", "d@3"]),
    fresh_rows=st.none() | st.integers(0, 1000),
    built=st.booleans(),
)


def decide(settings: PolicySettings, fired: list[Fired], state: State) -> Decision:
    return policy.decide(settings, fired, state, model="m", environment="prod")


def one(kind: TriggerKind, evidence: str = "e") -> Fired:
    return Fired(kind=kind, evidence=evidence, sentence=f"{kind} was seen.")


@given(policies, fireds, states)
def test_broken_data_blocks_whatever_else_there_is(
    settings: PolicySettings, fired: list[Fired], state: State
) -> None:
    found = decide(settings, [*fired, one("data_quality")], state)
    assert (found.verdict, found.why, found.operation) == ("block", "data_quality", "")


@given(policies, fireds, states)
def test_a_yes_is_within_every_guard(settings: PolicySettings, fired: list[Fired], state: State) -> None:
    found = decide(settings, fired, state)
    kinds = {f.kind for f in fired}
    assert bool(found.operation) == (found.verdict == "yes")
    assert found.reason.endswith(".")
    if found.verdict != "yes":
        return
    assert not state.under_way
    assert "data_quality" not in kinds
    assert kinds
    if "hand" in kinds:
        return
    assert state.begun is None or state.begun + span(settings.cool_down) <= NOW
    assert state.this_week < settings.most_a_week
    assert state.failures < settings.attempts
    assert state.failed is None or state.failed + policy.pause(settings, state.failures) <= NOW
    assert not state.built
    if not kinds & {"schedule", "code"}:
        assert state.fresh_rows is None or state.fresh_rows >= settings.min_labelled
    calls = kinds - {"drift"} if settings.drift == "investigate" else kinds
    if settings.estimated_quality == "ask":
        calls = calls - {"estimated_quality"}
    assert calls


@given(policies, fireds, states)
def test_no_yes_without_something_that_calls_for_it(
    settings: PolicySettings, fired: list[Fired], state: State
) -> None:
    quiet = [f for f in fired if f.kind in ("drift", "estimated_quality")]
    careful = msgspec.structs.replace(settings, drift="investigate", estimated_quality="ask")
    assert decide(careful, quiet, state).verdict != "yes"
    assert decide(settings, [], state).verdict == "no"


@given(policies, fireds, states)
def test_a_hand_passes_all_guards_of_time_and_rows(
    settings: PolicySettings, fired: list[Fired], state: State
) -> None:
    whole = [f for f in fired if f.kind != "data_quality"] + [one("hand")]
    found = decide(settings, whole, msgspec.structs.replace(state, under_way=""))
    assert found.verdict == "yes"


@given(policies, fireds, states)
def test_the_order_of_triggers_and_who_looks_changes_nothing(
    settings: PolicySettings, fired: list[Fired], state: State
) -> None:
    there, back = decide(settings, fired, state), decide(settings, fired[::-1], state)
    assert (there.verdict, there.why, there.operation) == (back.verdict, back.why, back.operation)


@given(policies, fireds, states)
def test_a_decision_is_read_back_as_it_was(
    settings: PolicySettings, fired: list[Fired], state: State
) -> None:
    found = decide(settings, fired, state)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Decision) == found


def test_the_same_occasion_is_another_after_a_retraining() -> None:
    settings, fired = PolicySettings(cool_down="1s"), [one("schedule")]
    first = decide(settings, fired, State(moment=NOW))
    assert first.operation == decide(settings, fired, State(moment=NOW + dt.timedelta(minutes=5))).operation
    later = decide(settings, fired, State(moment=NOW, begun=NOW - dt.timedelta(days=2)))
    assert later.verdict == "yes"
    assert later.operation != first.operation
    aside = decide(settings, [*fired, one("drift")], State(moment=NOW))
    assert aside.operation == first.operation, "what only asks to look is no occasion"


def test_estimated_quality_asks_for_labels_and_drift_for_a_look() -> None:
    settings = PolicySettings()
    asked = decide(settings, [one("drift"), one("estimated_quality")], State(moment=NOW))
    assert (asked.verdict, asked.why) == ("ask", "labels")
    looked = decide(settings, [one("drift")], State(moment=NOW))
    assert (looked.verdict, looked.why) == ("ask", "investigate")
    assert decide(settings, [one("live_quality")], State(moment=NOW)).verdict == "yes"


def test_builds_that_fail_are_tried_later_and_later_and_then_not_at_all() -> None:
    settings = PolicySettings(attempts=4, back_off="1h", cool_down="1s")
    waits = [policy.pause(settings, n) for n in (1, 2, 3)]
    assert waits == [dt.timedelta(hours=h) for h in (1, 2, 4)]
    for failures in (1, 2, 3):
        state = State(
            moment=NOW, failures=failures, failed=NOW - waits[failures - 1] + dt.timedelta(seconds=1)
        )
        assert decide(settings, [one("schedule")], state).why == "back_off"
        ready = msgspec.structs.replace(state, failed=NOW - waits[failures - 1])
        assert decide(settings, [one("schedule")], ready).verdict == "yes"
    stopped = State(moment=NOW, failures=4, failed=NOW - dt.timedelta(days=300))
    found = decide(settings, [one("schedule")], stopped)
    assert (found.verdict, found.why) == ("ask", "failing")
    assert policy.pause(settings, 10_000) <= dt.timedelta(days=365)
    for text, days in (("7d", 365), ("99999d", 99999)):
        longest = policy.pause(PolicySettings(back_off=text), 10_000)
        assert longest == dt.timedelta(days=days), "however often it failed"


@pytest.mark.parametrize("kind", ["new_data", "drift", "live_quality", "estimated_quality"])
def test_too_few_fresh_rows_start_no_build_of_rows(kind: TriggerKind) -> None:
    settings = PolicySettings(drift="retrain", estimated_quality="retrain", min_labelled=100)
    few = State(moment=NOW, data="d@3", fresh_rows=99)
    assert decide(settings, [one(kind)], few).why == "few_rows"
    assert decide(settings, [one(kind), one("code")], few).verdict == "yes"
    assert decide(settings, [one(kind)], msgspec.structs.replace(few, fresh_rows=100)).verdict == "yes"
