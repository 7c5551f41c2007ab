"""What a canary's counts say: worse, good enough for the next step, or too early to tell."""

from __future__ import annotations

import datetime as dt

from modelyard.metrics.sequential import evidence
from modelyard.records.canary import Arm, Begun, CanaryReport, CanaryVerdict, Measure
from modelyard.settings import CanarySettings

_ERRORS = {"outcomes": "wrong", "requests": "refused or failed"}
_UNITS = {"outcomes": "answers with outcomes", "requests": "requests"}


def canary(
    settings: CanarySettings,
    begun: Begun,
    rival: Arm,
    live: Arm,
    *,
    by: Measure,
    environment: str,
    model: str,
    now: dt.datetime,
) -> CanaryReport:
    """``rival`` and ``live`` are counted from the step's beginning. It may be asked at any time and as often as one
    likes: the chance that an equally good version is ever called worse stays below ``alpha``."""
    value = evidence(begun.share, rival.errors + live.errors, rival.errors)
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
    beside = f"{ours}, beside {theirs} of {model}@{begun.champion} (e-value {value:.3g})"
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
        evidence=value,
        alpha=settings.alpha,
        hours=hours,
        sentence=f"{who} {ends[verdict]}.",
    )


def _told(arm: Arm, by: Measure) -> str:
    return f"{arm.errors} of {arm.judged} {_UNITS[by]} {_ERRORS[by]}"
