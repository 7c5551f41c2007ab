"""Decisions about retraining, and how far each retraining is: a fold over the audit chain's events."""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec

from modelyard.ports import Facts
from modelyard.records.canary import CanaryReport
from modelyard.records.event import Wanted
from modelyard.records.trigger import Decision, Outcome, Retraining

KEPT = 200
"""Newest events of a model's retrainings that are looked at."""
_WEEK = dt.timedelta(days=7)
_EMPTY: tuple[Outcome, ...] = ("unchanged", "overtaken")
"""Outcomes by which nothing was built that counts."""


def decided(facts: Facts, decision: Decision) -> None:
    """Put a decision on record with all its numbers."""
    facts.events.append(
        "trigger.decided",
        decision.model,
        environment=decision.environment,
        verdict=decision.verdict,
        why=decision.why,
        reason=decision.reason,
        triggers=", ".join(one.kind for one in decision.fired),
        retraining=decision.operation,
        record=msgspec.json.encode(decision).decode(),
    )


def decisions(facts: Facts, model: str, *, last: int) -> list[Decision]:
    """The newest ones, in the order they were made."""
    found = facts.events.list(wanted=Wanted(action="trigger.decided", object=model), last=last)
    return [msgspec.json.decode(str(event.payload["record"]), type=Decision) for event in found]


def retrainings(facts: Facts, model: str) -> list[Retraining]:
    """Newest first, each as it stands."""
    found: dict[str, Retraining] = {}
    for event in facts.events.list(wanted=Wanted(action="retraining", object=model), last=KEPT):
        record = msgspec.json.decode(str(event.payload["record"]), type=Retraining)
        found[record.operation] = record
    return sorted(found.values(), key=lambda one: -one.number)


def under_way(facts: Facts, model: str) -> Retraining | None:
    return next((one for one in retrainings(facts, model) if one.outcome is None), None)


def commence(
    facts: Facts, decision: Decision, *, by: str, now: dt.datetime, pipeline: str = ""
) -> Retraining:
    """Begin the retraining that a yes starts, here or in a forge's pipeline. While another of the model is under way it is that one."""
    there = retrainings(facts, decision.model)
    for one in there:
        if one.outcome is None or one.operation == decision.operation:
            return one
    begun = Retraining(
        operation=decision.operation,
        model=decision.model,
        number=(there[0].number if there else 0) + 1,
        reason=decision.reason,
        policy=decision.policy,
        fired=decision.fired,
        begun=now,
        by=by,
        pipeline=pipeline,
    )
    _tell(facts, "retraining.begun", begun)
    return begun


def proceed(facts: Facts, retraining: Retraining) -> Retraining:
    """It came further, or waits for something else; the same again is not put on record twice."""
    before = next(
        (one for one in retrainings(facts, retraining.model) if one.operation == retraining.operation), None
    )
    if before is not None and (before == retraining or before.outcome is not None):
        return before
    facts_of = msgspec.structs.replace(retraining, waits="")
    waits = before is not None and msgspec.structs.replace(before, waits="") == facts_of and retraining.waits
    _tell(facts, "retraining.waits" if waits else "retraining.moved", retraining)
    return retraining


def conclude(
    facts: Facts, retraining: Retraining, outcome: Outcome, said: str, now: dt.datetime
) -> Retraining:
    """It ended so; a repeat keeps the first outcome."""
    for one in retrainings(facts, retraining.model):
        if one.operation == retraining.operation and one.outcome is not None:
            return one
    said = said.encode(errors="replace").decode()[:2000]
    ended = msgspec.structs.replace(retraining, outcome=outcome, said=said, waits="", ended=now)
    _tell(facts, "retraining.ended", ended)
    return ended


def hand_over(facts: Facts, retraining: Retraining, address: str, now: dt.datetime) -> Retraining:
    """A forge's pipeline was started for it, which does the rest; a repeat keeps the first address."""
    for one in retrainings(facts, retraining.model):
        if one.operation == retraining.operation and one.outcome is not None:
            return one
    facts.events.append(
        "pipeline.started",
        retraining.model,
        retraining=retraining.operation,
        pipeline=retraining.pipeline,
        address=address,
    )
    return conclude(facts, retraining, "handed_over", f"{retraining.pipeline} does it: {address}", now)


def built(there: list[Retraining], key: str) -> bool:
    """Whether a retraining came to a judgement of what this key stands for."""
    return any(one.key == key and one.outcome not in (None, "failed", *_EMPTY) for one in there)


def key(policy: str, data: str, code: str) -> str:
    return hashlib.sha256(msgspec.json.encode([policy, data, code])).hexdigest()[:16]


def this_week(there: list[Retraining], now: dt.datetime) -> int:
    return sum(one.begun > now - _WEEK and one.outcome not in _EMPTY for one in there)


def failures(there: list[Retraining]) -> tuple[int, dt.datetime | None]:
    """How many failed since the last that did not, and when the newest of them did. An end without anything built
    tells nothing of whether builds work."""
    count, when = 0, None
    for one in there:
        if one.outcome == "failed":
            count, when = count + 1, when or one.ended
        elif one.outcome is not None and one.outcome not in _EMPTY:
            break
    return count, when


def tried(facts: Facts, report: CanaryReport) -> None:
    """Put the verdict on a canary on record with its numbers."""
    facts.events.append(
        "canary.judged",
        f"{report.model}@{report.version}",
        environment=report.environment,
        verdict=report.verdict,
        by=report.by,
        judged=report.rival.judged,
        errors=report.rival.errors,
        live_judged=report.live.judged,
        live_errors=report.live.errors,
        evidence=f"{report.evidence:.6g}",
        reason=report.sentence,
        record=msgspec.json.encode(report).decode(),
    )


def _tell(facts: Facts, action: str, retraining: Retraining) -> None:
    facts.events.append(
        action,
        retraining.model,
        retraining=retraining.operation,
        data=retraining.data,
        package=retraining.package,
        version=retraining.version,
        outcome=retraining.outcome or "",
        reason=retraining.said or retraining.waits or retraining.reason,
        record=msgspec.json.encode(retraining).decode(),
    )
