"""What a canary's counts say: worse, good enough for the next step, or too early to tell."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from modelyard.metrics.sequential import evidence
from modelyard.records.canary import Arm, Begun, CanaryReport, CanaryVerdict, Measure
from modelyard.settings import CanarySettings

_ERRORS = {"outcomes": "wrong", "requests": "refused or failed"}
_UNITS = {"outcomes": "answers with outcomes", "requests": "requests"}


class Counts(NamedTuple):
    """Both arms, counted from the step's beginning."""

    rival: Arm
    live: Arm

    def evidence(self, share: float) -> float:
        return evidence(share, self.rival.errors + self.live.errors, self.rival.errors)


def canary(
    settings: CanarySettings,
    begun: Begun,
    requests: Counts,
    outcomes: Counts | None,
    *,
    environment: str,
    model: str,
    now: dt.datetime,
) -> CanaryReport:
    """Judged by ``outcomes`` where they are given, with what is refused or fails as evidence besides. It may be asked
    at any time and as often as one likes: the chance that an equally good version is ever called worse stays below
    ``alpha``."""
    by: Measure = "requests" if outcomes is None else "outcomes"
    rival, live = outcomes or requests
    value = requests.evidence(begun.share)
    if outcomes is not None:
        value = (value + outcomes.evidence(begun.share)) / 2
    hours = max(0.0, (now - begun.since).total_seconds() / 3600)
    verdict: CanaryVerdict
    if value >= 1 / settings.alpha:
        verdict = "worse"
    elif rival.judged >= settings.min_rows:
        verdict = "passed"
    elif hours >= settings.hours:
        verdict = "lapsed"
    else:
        verdict = "waits"
    ours, theirs = _told(rival, by), _told(live, by)
    who = f"{model}@{begun.version} at {100 * begun.share:g} % in {environment}"
    beside = f"{ours}, beside {theirs} of {model}@{begun.champion}"
    if outcomes is not None and requests.rival.errors + requests.live.errors:
        beside += f", with {_told(requests.rival, 'requests')} beside {_told(requests.live, 'requests')}"
    beside += f" (e-value {value:.3g})"
    ends = {
        "worse": f"is worse than what is live: {beside}, at least 1/{settings.alpha:g}",
        "passed": f"is not seen to be worse: {beside}",
        "lapsed": f"saw too little in {settings.hours:g} hours: {beside}, and {settings.min_rows} are asked for",
        "waits": f"goes on: {beside}, {settings.min_rows} are asked for",
    }
    return CanaryReport(
        environment=environment,
        model=model,
        version=begun.version,
        champion=begun.champion,
        share=begun.share,
        verdict=verdict,
        by=by,
        rival=rival,
        live=live,
        refused_rival=requests.rival if outcomes else Arm(),
        refused_live=requests.live if outcomes else Arm(),
        evidence=value,
        alpha=settings.alpha,
        hours=hours,
        sentence=f"{who} {ends[verdict]}.",
    )


def _told(arm: Arm, by: Measure) -> str:
    return f"{arm.errors} of {arm.judged} {_UNITS[by]} {_ERRORS[by]}"
