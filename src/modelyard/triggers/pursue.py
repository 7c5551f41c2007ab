"""What a look at a model's triggers leads to: a retraining begun here or in a forge's pipeline, or taken further."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from modelyard.pipelines.build import Step
from modelyard.pipelines.hand_over import ask_again, hand_over
from modelyard.pipelines.retrain import go_on, retrain
from modelyard.project import Project
from modelyard.records.trigger import Decision, Retraining
from modelyard.triggers.consider import consider


class Pursued(msgspec.Struct, frozen=True, kw_only=True):
    decision: Decision
    retraining: Retraining | None = None
    """The one that was under way, or that the decision began, as it stands now."""
    then: Retraining | None = None
    """The one that it began after the other had ended in this look."""


def pursue(
    project: Project,
    model: str,
    *,
    moment: dt.datetime | None = None,
    by_hand: bool = False,
    sparing: bool = False,
    report: Callable[[Step], None] = lambda _: None,
) -> Pursued:
    """Take further what is under way, look at the triggers once, and carry out a yes. As ``consider`` and ``retrain``.

    By hand a pipeline that waits to be started is asked for at once, and if that starts it, no second one is.
    """
    asked = ask_again(project, model, at_once=by_hand)
    moved = asked or go_on(project, model, report=report)
    by_hand = by_hand and (asked is None or asked.outcome != "handed_over")
    decision = consider(project, model, moment=moment, by_hand=by_hand, sparing=sparing)
    if decision.verdict == "yes":
        there = project.trigger(model).pipeline
        begun = hand_over(project, decision) if there else retrain(project, decision, report=report)
        return Pursued(decision=decision, retraining=moved or begun, then=begun if moved else None)
    return Pursued(decision=decision, retraining=moved)
