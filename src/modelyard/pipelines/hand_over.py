"""``hand_over``: a yes starts a forge's pipeline, which does the rest.

Starting is not idempotent on any forge. So that it is asked stands on record before it is; an answer that was lost
leaves the retraining under way, and the next time what the forge started since is looked at first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from modelyard import registry
from modelyard.errors import ForgeDenied, ForgeDown, ForgeRefused, Misuse, SettingsError
from modelyard.forges.pipelines import pipelines
from modelyard.gates.policy import pause
from modelyard.ports import Facts
from modelyard.ports.pipelines import OPERATION
from modelyard.project import Project, fresh, now
from modelyard.records.trigger import Decision, Retraining
from modelyard.settings import PipelineSettings


def hand_over(project: Project, decision: Decision, *, environ: Mapping[str, str] = os.environ) -> Retraining:
    """Start it once for the decision. What goes wrong is on record in what it gives, and raises nothing."""
    settings = project.trigger(decision.model).pipeline
    if decision.verdict != "yes" or settings is None:
        raise Misuse(f"There is no pipeline to start for {decision.model}: {decision.reason}")
    project.require("developer")
    begun = project.yard.once(
        decision.operation,
        project.actor,
        lambda facts: registry.commence(
            facts, decision, by=project.actor, now=now(), pipeline=_called(settings)
        ),
        Retraining,
    )
    return ask_again(project, decision.model, environ=environ) or _known(project, begun)


def ask_again(
    project: Project, model: str, *, at_once: bool = False, environ: Mapping[str, str] = os.environ
) -> Retraining | None:
    """Ask for the pipeline that is not started yet, unless that was tried a short while ago; None when there is none."""
    with project.lock(f"retrain-{model}"):
        with project.yard.read() as facts:
            found = registry.under_way(facts, model)
        if found is None or not found.pipeline:
            return None
        project.require("developer")
        policy = project.trigger(model).policy
        if found.tried and not at_once and now() < found.tried + pause(policy, found.tries):
            return found
        return _asked(project, found, environ)


def _asked(project: Project, at: Retraining, environ: Mapping[str, str]) -> Retraining:
    settings = project.trigger(at.model).pipeline
    if settings is None or _called(settings) != at.pipeline:
        said = f"The settings do not name {at.pipeline} any more"
        if at.asked:
            said += ", which may have been started"
        return _record(project, lambda facts: registry.conclude(facts, at, "overtaken", f"{said}.", now()))
    token = environ.get(settings.token_env, "")
    before, moment = at.asked, now()
    waits = f"{at.pipeline} is asked for, and has not said yet that it was started."
    at = replace(at, asked=before or moment, tries=at.tries + 1, tried=moment, waits=waits)
    begun = at
    _record(project, lambda facts: registry.proceed(facts, begun))
    refused = before is None or at.tries >= project.trigger(at.model).policy.attempts
    try:
        if not token.strip():
            raise SettingsError(
                f"{settings.token_env} is not set, which holds the token for {at.pipeline}; set it where triggers are looked at."
            )
        address = pipelines(settings, token.strip()).start(settings.ref, _variables(at), asked=before)
    except (ForgeDenied, ForgeRefused, SettingsError) as error:
        said = _without(str(error), token)
        if refused:
            return _record(project, lambda facts: registry.conclude(facts, begun, "failed", said, now()))
        return _record(project, lambda facts: registry.proceed(facts, replace(begun, waits=said)))
    except ForgeDown as error:
        lost = replace(begun, waits=_without(str(error), token))
        return _record(project, lambda facts: registry.proceed(facts, lost))
    return _record(project, lambda facts: registry.hand_over(facts, begun, _without(address, token), now()))


def _variables(at: Retraining) -> dict[str, str]:
    """Words of this project alone: what was seen may hold what strangers sent, and a pipeline's script may run it."""
    return {
        "MODELYARD_MODEL": at.model,
        "MODELYARD_TRIGGER": ",".join(dict.fromkeys(one.kind for one in at.fired)),
        OPERATION: at.operation,
    }


def _called(settings: PipelineSettings) -> str:
    parts = (settings.forge, settings.url, settings.project, settings.workflow, settings.ref)
    return " ".join(part for part in parts if part)


def _without(text: str, token: str) -> str:
    """Should a forge repeat it."""
    return text.replace(token.strip(), "***") if token.strip() else text


def _record(project: Project, work: Callable[[Facts], Retraining]) -> Retraining:
    return project.yard.once(fresh("retrain"), project.actor, work, Retraining)


def _known(project: Project, begun: Retraining) -> Retraining:
    with project.yard.read() as facts:
        there = registry.retrainings(facts, begun.model)
    return next(one for one in there if one.operation == begun.operation)
