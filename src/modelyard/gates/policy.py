"""Whether a build starts again: a pure function of what fired and of how things stand."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import msgspec

from modelyard.records.trigger import Decision, Fired, State, TriggerKind, Verdict, Why
from modelyard.settings import PolicySettings
from modelyard.settings.spans import span

_OF_ROWS: tuple[TriggerKind, ...] = ("new_data", "drift", "live_quality", "estimated_quality")
"""What a build on the same rows would not mend."""
_LONGEST = dt.timedelta(days=365)


def decide(
    policy: PolicySettings, fired: Sequence[Fired], state: State, *, model: str, environment: str
) -> Decision:
    """The first of these that holds: broken data blocks; a retraining is under way; nothing calls for a build; builds
    keep failing; the guards of time; too few fresh rows; built already. Else yes.

    What a person asked for by hand passes all guards but the first two.
    """
    verdict, why, reason = _judged(policy, fired, state)
    return Decision(
        model=model,
        environment=environment,
        verdict=verdict,
        why=why,
        reason=reason,
        fired=tuple(fired),
        state=state,
        policy=digest(policy),
        operation=_operation(policy, [f for f in fired if _calls(policy, f)], state, model)
        if verdict == "yes"
        else "",
    )


def digest(policy: PolicySettings) -> str:
    return hashlib.sha256(msgspec.json.encode(policy, order="sorted")).hexdigest()[:16]


def pause(policy: PolicySettings, failures: int) -> dt.timedelta:
    """How long to wait after so many builds that failed one after another."""
    first = span(policy.back_off)
    longest = max(first, _LONGEST)
    doublings = min(max(failures - 1, 0), 64)
    return dt.timedelta(seconds=min(first.total_seconds() * 2.0**doublings, longest.total_seconds()))


def _judged(policy: PolicySettings, fired: Sequence[Fired], state: State) -> tuple[Verdict, Why, str]:
    broken = [one for one in fired if one.kind == "data_quality"]
    if broken:
        return (
            "block",
            "data_quality",
            f"The data is broken, and nothing is learned from it: {_told(broken)}.",
        )
    if state.under_way:
        return "no", "under_way", f"The retraining {state.under_way} is under way."
    calls = [one for one in fired if _calls(policy, one)]
    if not calls:
        return _without(fired)
    by_hand = any(one.kind == "hand" for one in calls)
    if not by_hand:
        held = _held(policy, calls, state)
        if held is not None:
            return held
    return "yes", "build", f"{_told(calls)}."


def _calls(policy: PolicySettings, fired: Fired) -> bool:
    if fired.kind == "drift":
        return policy.drift == "retrain"
    if fired.kind == "estimated_quality":
        return policy.estimated_quality == "retrain"
    return fired.kind != "data_quality"


def _without(fired: Sequence[Fired]) -> tuple[Verdict, Why, str]:
    if estimated := [one for one in fired if one.kind == "estimated_quality"]:
        return (
            "ask",
            "labels",
            f"{_told(estimated)}; label some of these rows, since an estimate is no outcome.",
        )
    if fired:
        return "ask", "investigate", f"{_told(fired)}; that alone is no loss of quality, so look into it."
    return "no", "nothing", "No trigger has anything to say."


def _held(policy: PolicySettings, calls: Sequence[Fired], state: State) -> tuple[Verdict, Why, str] | None:
    """What keeps a build back that was called for; None where nothing does."""
    if state.failures >= policy.attempts:
        return (
            "ask",
            "failing",
            f"{state.failures} builds failed one after another, and the policy allows {policy.attempts}; mend the "
            "cause and have it built by hand (modelyard trigger MODEL --now).",
        )
    if state.failed is not None and state.moment < (until := state.failed + pause(policy, state.failures)):
        many = f"{state.failures} builds failed" if state.failures > 1 else "The last build failed"
        return "no", "back_off", f"{many}; the next may begin at {_time(until)}."
    if state.begun is not None and state.moment < (until := state.begun + span(policy.cool_down)):
        return (
            "no",
            "cool_down",
            f"The last retraining began at {_time(state.begun)}; the next may at {_time(until)} ({policy.cool_down}).",
        )
    if state.this_week >= policy.most_a_week:
        return (
            "no",
            "most_a_week",
            f"{state.this_week} retrainings began in the last seven days, and {policy.most_a_week} are allowed.",
        )
    return _about_rows(policy, calls, state)


def _about_rows(
    policy: PolicySettings, calls: Sequence[Fired], state: State
) -> tuple[Verdict, Why, str] | None:
    if state.built:
        return "no", "built", f"This was built on {state.data} already, by the same policy and code."
    rows = state.fresh_rows
    if all(one.kind in _OF_ROWS for one in calls) and rows is not None and rows < policy.min_labelled:
        return (
            "no",
            "few_rows",
            f"{state.data or 'The data'} has {rows} labelled rows that the live version did not learn from, and "
            f"{policy.min_labelled} are asked for.",
        )
    return None


def _operation(policy: PolicySettings, calls: Sequence[Fired], state: State, model: str) -> str:
    """Two who look at once see the same occasion; after a retraining the same evidence is another one."""
    seen = sorted((one.kind, one.evidence) for one in calls)
    before = state.begun.isoformat() if state.begun else ""
    told = msgspec.json.encode([digest(policy), before, seen])
    return f"retrain/{model}/{hashlib.sha256(told).hexdigest()[:12]}"


def _told(fired: Sequence[Fired]) -> str:
    return "; ".join(one.sentence.removesuffix(".") for one in fired)


def _time(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
