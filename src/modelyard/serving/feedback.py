"""True outcomes of answers that were given before: checked, logged, then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time

import msgspec

from modelyard.errors import StoreDown
from modelyard.ports import PredictionSink
from modelyard.predictions import fitting
from modelyard.records.outcome import CLIENT, REQUEST, Outcome
from modelyard.serving import tell
from modelyard.serving.connection import Slot
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live
from modelyard.wire import feedback
from modelyard.wire.problem import Problem

Act = Callable[[Slot], None]


def heard(lives: Sequence[Live], log: PredictionSink | None, limits: Limits) -> Act:
    """Take outcomes of a model, of which these versions answer; all of a request's are kept, or none.

    An outcome must be one of the classes of one of them, or a number: whether anything was predicted under its id is
    not asked, since another machine may have answered.
    """
    model = lives[0].served.model

    def act(slot: Slot) -> None:
        if log is None:
            raise Problem(501, f"This service keeps no log, so it keeps no outcomes of {model} either.")
        assert isinstance(slot.body, bytes)
        told = feedback.read(slot.body, most=limits.rows)
        outcomes = [_fitting(each, at, lives, bulk=len(told) > 1) for at, each in enumerate(told)]
        log.outcomes(model, outcomes, at=time())
        try:
            log.flush()
        except StoreDown as error:
            tell.say(f"{model}: {error}", "error")
            raise Problem(503, "The outcomes could not be logged, so they are not kept: try later.") from None
        slot.answered(msgspec.json.encode({"status": "ok", "model": model, "accepted": len(outcomes)}))

    return act


def _fitting(told: feedback.Told, at: int, lives: Sequence[Live], *, bulk: bool) -> Outcome:
    reason = ""
    for live in lives:
        try:
            value = fitting(told.outcome, live.manifest.task, live.manifest.classes)
        except ValueError as error:
            reason = reason or str(error)
            continue
        named = told.request_id or told.client_id
        assert isinstance(named, str)
        return Outcome(
            id=named,
            outcome=value,
            row=int(told.row),
            at=None if told.at is None else told.at.timestamp(),
            by=REQUEST if told.request_id else CLIENT,
        )
    raise feedback.refused(at, "outcome", f"'outcome' {reason}", bulk=bulk)
