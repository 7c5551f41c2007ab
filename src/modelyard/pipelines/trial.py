"""A challenger's way through the steps of its canary, one look at a time."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.actions import canary
from modelyard.project import Project
from modelyard.settings import CanarySettings


class Trialled(msgspec.Struct, frozen=True, kw_only=True):
    """``ended``: by its own verdict; ``gone``: somebody else ended or replaced it; ``failed``: it could not begin."""

    state: Literal["waits", "passed", "ended", "gone", "failed"]
    sentence: str


def trial(
    project: Project, settings: CanarySettings, environment: str, ref: str, operation: str, why: str
) -> Trialled:
    """Go through the steps as far as their verdicts are there; a repeat goes on where the last call was."""
    model, _, _ = ref.partition("@")
    sentence = ""
    for share in settings.steps:
        step = f"{operation}/{share:g}"
        if reason := canary.failed(project, step):
            return Trialled(state="failed", sentence=reason)
        begun = canary.begin(project, environment, ref, share, reason=why, operation=step)
        report = canary.verdict(project, step)
        if report is None:
            if canary.on_trial(project, environment, begun, model) is None:
                return Trialled(
                    state="gone", sentence=f"The canary of {ref} in {environment} was ended by somebody else."
                )
            report = canary.look(project, environment, model, begun)
            if report.verdict == "waits":
                since = f"since {begun.since:%Y-%m-%d %H:%M:%S} UTC"
                return Trialled(
                    state="waits",
                    sentence=f"{ref} is a canary for {100 * share:g} % of requests in {environment} {since}.",
                )
            report = canary.judged(project, report, operation=step)
        if report.verdict != "passed":
            canary.end(project, environment, model, begun, reason=report.sentence, operation=step)
            return Trialled(state="ended", sentence=report.sentence)
        sentence = report.sentence
    return Trialled(state="passed", sentence=sentence)
