"""``rollback``: the previous release, in seconds."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.announced import announced, known
from modelyard.actions.switch import switch, wanted
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Release


def rollback(
    project: Project, environment: str, model: str, *, reason: str = "", operation: str | None = None
) -> Release:
    """End the trial that is on, or make live again what was live before; a second rollback walks further back.

    The package was live here once, so nothing is tested again. Raises ``UnknownName`` when there
    is nothing before.
    """
    project.environment(environment)
    project.require("deployer", environment)
    project.model(model)
    why = f": {reason}" if reason else ""
    with project.lock(f"deploy-{environment}"):

        def begin(facts: Facts) -> Release:
            if pending := wanted(facts, environment, model):
                registry.fail(facts, pending.id, "rolled back before it went live", now())
            if tried := registry.on_trial(facts, environment, model):
                live = facts.releases.live(environment, model)
                assert live is not None, "a trial is beside what is live"
                return registry.begin(
                    facts,
                    environment=environment,
                    model=model,
                    version=live.version,
                    by=project.actor,
                    now=now(),
                    reason=f"ends the {tried.status} of {model}@{tried.version}{why}",
                    restores=live.id,
                )
            target = registry.rollback_target(facts, environment, model)
            if target is None:
                raise UnknownName(
                    f"No release of {model} was live in {environment} before; "
                    f"see 'modelyard releases {environment}'."
                )
            return registry.begin(
                facts,
                environment=environment,
                model=model,
                version=target.version,
                by=project.actor,
                now=now(),
                reason=f"rollback to release {target.id}{why}",
                restores=target.id,
            )

        release = project.yard.once(operation or fresh("rollback"), project.actor, begin, Release)
        about = f"{environment}.{model}"
        with announced(project, "rollback", about, run=known(release), package=release.package) as told:
            live = switch(project, release)
            told.service(environment, model, live.version)
        return live
