"""``deploy``: application tests on the candidate, then switch traffic."""

from __future__ import annotations

import msgspec

from modelyard import registry
from modelyard.actions.announced import announced, known
from modelyard.actions.locate import chosen, located
from modelyard.actions.switch import TIMEOUT, address, model_id, planned, switch, wanted
from modelyard.actions.try_out import encoded, refuse, try_out
from modelyard.errors import ModelyardError, NotAdmitted
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Release, Trial, Version
from modelyard.records.service import ServicePlan
from modelyard.records.tested import ApplicationReport


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    release: Release
    url: str
    tests: int
    """How many application tests the candidate passed; 0 when it was live already."""
    report: ApplicationReport | None = None


def deploy(
    project: Project,
    environment: str,
    ref: str,
    *,
    where: str = "",
    trial: Trial | None = None,
    reason: str = "",
    operation: str | None = None,
) -> Deployed:
    """Test the version as a service of its own, then make it live in the environment, or try it beside what is live.

    ``reason`` is a person's, for the record. A bare ``NAME`` is the newest version admitted there, with ``where`` the newest of which that filter is true. One deployment an environment at a time;
    a deployment that was killed is taken up again. Any failure leaves the live service as it was:
    ``CheckFailed`` when a test fails, ``ServiceDown`` when the service does not converge.
    """
    project.environment(environment)
    project.require("deployer", environment)
    with project.lock(f"deploy-{environment}"):
        version = (
            chosen(project, ref, where, admitted=environment) if where else _named(project, environment, ref)
        )
        if release := _live(project, environment, version, trial):
            _revive(project, release)
            return Deployed(release=release, url=address(project, environment), tests=0)
        why = "; ".join(part for part in (reason, f"the newest where {where}" if where else "") if part)
        release = _begun(project, environment, version, operation or fresh("deploy"), why, trial)
        about = f"{environment}.{version.model}"
        with announced(project, "deploy", about, run=known(release), package=version.package) as told:
            try:
                report = _test(project, release)
            except ModelyardError as error:
                _fail(project, release, str(error))
                raise
            live = switch(project, release)
            told.service(environment, version.model, version.number)
    url, tests = address(project, environment), len(report.outcomes)
    return Deployed(release=live, url=url, tests=tests, report=report)


def _named(project: Project, environment: str, ref: str) -> Version:
    from modelyard.registry import parse, resolve

    name, selector = parse(ref)
    project.model(name)
    with project.yard.read() as facts:
        if selector is not None:
            return resolve(facts, ref, tuple(project.settings.environments))
        admitted = facts.admissions.list(environment, name)
        if not admitted:
            raise NotAdmitted(
                f"No version of {name} is admitted to {environment}; "
                f"run 'modelyard promote {name} --to {environment}' first."
            )
        return resolve(facts, f"{name}@{admitted[-1].version}", tuple(project.settings.environments))


def _live(project: Project, environment: str, version: Version, trial: Trial | None) -> Release | None:
    """The live release, or that on this trial, when it is of this version and no other was begun since."""
    with project.yard.read() as facts:
        release = facts.releases.live(environment, version.model)
        if trial is not None:
            release = registry.on_trial(facts, environment, version.model)
            release = release if release and release.trial == trial else None
        pending = wanted(facts, environment, version.model)
    return release if release and release.version == version.number and not pending else None


def _revive(project: Project, release: Release) -> None:
    """Start the service again when it was stopped, or stands otherwise than the settings say by now.

    The release is as live as it was before.
    """
    state, before = project.target.state(release.environment), project.target.plan(release.environment)
    plan = planned(project, release)
    answers = state and model_id(release) in state.models
    if not answers or before is None or _door(before) != _door(plan):
        project.tell(f"starting {release.model}@{release.version} in {release.environment}")
        project.target.apply(plan, timeout=TIMEOUT)


def _door(plan: ServicePlan) -> ServicePlan:
    """Where and how it is entered, whatever answers."""
    return msgspec.structs.replace(plan, generation=0, models=())


def _begun(
    project: Project,
    environment: str,
    version: Version,
    operation: str,
    reason: str,
    trial: Trial | None,
) -> Release:
    def begin(facts: Facts) -> Release:
        pending = wanted(facts, environment, version.model)
        if pending and pending.version == version.number and pending.trial == trial:
            return pending
        if pending:
            registry.fail(facts, pending.id, "another version was deployed instead", now())
        return registry.begin(
            facts,
            environment=environment,
            model=version.model,
            version=version.number,
            by=project.actor,
            now=now(),
            reason=reason,
            trial=trial,
        )

    return project.yard.once(operation, project.actor, begin, Release)


def _test(project: Project, release: Release) -> ApplicationReport:
    """The report on the candidate, which is kept with the release whether or not it is good; ``CheckFailed``."""
    plan = planned(project, release)
    [candidate] = [m for m in plan.models if m.model_id == model_id(release)]
    alone = msgspec.structs.replace(plan, models=(msgspec.structs.replace(candidate, arm="champion"),))
    ref = f"{release.model}@{release.version}"
    project.tell(f"testing {ref} as a service")
    report = try_out(
        project,
        located(project, ref),
        alone,
        subject=ref,
        trust=project.trust(release.environment),
        environment=release.environment,
    )
    digest = project.artifacts.put(encoded(report))

    def record(facts: Facts) -> None:
        kept = facts.releases.get(release.id) or release
        facts.releases.put(msgspec.structs.replace(kept, tests=digest))
        if report.passed:  # else the release fails with the reason
            facts.events.append(
                "version.tried",
                ref,
                environment=release.environment,
                package=release.package,
                tests=len(report.outcomes),
                report=digest,
            )

    project.yard.once(fresh("try"), project.actor, record, type(None))
    refuse(project, report, release.model)
    return report


def _fail(project: Project, release: Release, reason: str) -> None:
    project.yard.once(
        fresh("deploy"), project.actor, lambda facts: registry.fail(facts, release.id, reason, now()), Release
    )
