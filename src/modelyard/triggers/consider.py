"""One look at all triggers of a model, and the decision on record."""

from __future__ import annotations

import datetime as dt
import uuid

from msgspec.structs import replace

from modelyard import registry
from modelyard.actions.ingest import settled
from modelyard.actions.standing import present, standing
from modelyard.errors import DataRefused, SourceDown, SourceMissing
from modelyard.gates import policy
from modelyard.project import Project, fresh, now
from modelyard.records.trigger import Decision, Fired
from modelyard.triggers.code import code
from modelyard.triggers.findings import findings
from modelyard.triggers.new_data import new_data
from modelyard.triggers.schedule import schedule

_AGAIN = dt.timedelta(hours=1)


def consider(
    project: Project,
    model: str,
    *,
    moment: dt.datetime | None = None,
    by_hand: bool = False,
    dry: bool = False,
    sparing: bool = False,
) -> Decision:
    """Look at every trigger once and decide; nothing is built by it.

    The decision stands in the audit trail, also a no; not so a ``dry`` one. A ``sparing`` look, as a supervisor takes
    each minute, goes by the newest window that was examined, and does not put the same decision on record again
    within an hour, unless it is a yes. ``by_hand`` is a
    person's trigger. Raises what looking raises, but for sources that cannot be reached or read: those are noted.
    """
    moment = moment or now()
    settings = project.trigger(model)
    with project.yard.read() as facts:
        before = next(iter(registry.decisions(facts, model, last=1)), None)
        busy = registry.under_way(facts, model)
    since = before.state.moment if before else moment
    fired: list[Fired] = []
    if by_hand:
        fired.append(
            Fired(kind="hand", evidence=uuid.uuid4().hex[:12], sentence=f"{project.actor} asked for it")
        )
    if due := schedule(settings, since, moment):
        fired.append(due)
    at, data, notes = present(project, model), None, []
    if busy is None:
        try:
            data = settled(project, project.model(model).data)
            if "new_data" in settings.on and (rows := new_data(project, model, data)):
                fired.append(rows)
        except (SourceDown, SourceMissing, DataRefused) as error:
            notes.append(str(error))
        if "code" in settings.on and (changed := code(project, model, at)):
            fired.append(changed)
        fired += findings(project, model, settings, kept=sparing)
    if settings.labelled:  # what was told of predictions is not in it yet
        data = None
    decision = policy.decide(
        settings.policy,
        fired,
        standing(project, model, moment=moment, code=at.digest, data=data),
        model=model,
        environment=settings.environment or "",
    )
    decision = replace(decision, notes=tuple(notes))
    if not dry and not (sparing and before and _again(before, decision)):
        project.yard.once(
            fresh("decide"), project.actor, lambda facts: registry.decided(facts, decision), type(None)
        )
    return decision


def _again(before: Decision, decision: Decision) -> bool:
    """Whether it only says what the one before said a little while ago."""

    def said(one: Decision) -> tuple[object, ...]:
        return one.verdict, one.why, one.policy, [(f.kind, f.evidence) for f in one.fired], one.notes

    soon = decision.state.moment < before.state.moment + _AGAIN
    return soon and decision.verdict != "yes" and said(before) == said(decision)
