"""A wanted release becomes the live one: the last step of ``deploy`` and ``rollback``."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from modelyard import infra, registry
from modelyard.actions.doors import doors
from modelyard.actions.locate import materialised
from modelyard.actions.own import owned
from modelyard.errors import ModelyardError, SettingsError
from modelyard.ports import Facts
from modelyard.predictor import vouched
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Release, Trial
from modelyard.records.service import ServedModel, ServicePlan

TIMEOUT = 30.0
"""Seconds that a service has to answer for a new plan."""


def switch(project: Project, release: Release) -> Release:
    """Make the environment's service answer for ``release`` beside what else is live there.

    On failure the release is recorded as failed with the reason, and what was live keeps answering.
    """
    plan = planned(project, release)
    beside = f"{release.trial.arm} " if release.trial else ""
    project.tell(f"switching {release.environment} to {beside}{release.model}@{release.version}")
    try:
        project.target.apply(plan, timeout=TIMEOUT)
    except ModelyardError as error:
        reason = str(error)
        project.yard.once(
            fresh("switch"),
            project.actor,
            lambda facts: registry.fail(facts, release.id, reason, now()),
            Release,
        )
        raise
    return project.yard.once(
        f"live/{release.id}", project.actor, lambda facts: registry.succeed(facts, release.id, now()), Release
    )


def planned(project: Project, release: Release) -> ServicePlan:
    """The environment's plan with ``release`` in it, packages fetched and verified."""
    with project.yard.read() as facts:
        live = _live(facts, release.environment, tuple(project.settings.models))
        found = (registry.on_trial(facts, release.environment, r.model) for r in live)
        tried = {r.model: r for r in found if r is not None and r.model != release.model}
    releases = {r.model: r for r in live}
    if release.trial is None:
        releases[release.model] = release
    else:
        tried[release.model] = release
    log = project.log_folder(release.environment)
    log.mkdir(parents=True, exist_ok=True)
    return msgspec.structs.replace(
        door(project, release.environment),
        generation=release.id,
        models=owned(
            project, tuple(served(project, each[name]) for each in (releases, tried) for name in sorted(each))
        ),
        log=str(log),
    )


def door(project: Project, environment: str) -> ServicePlan:
    """How an environment's service is asked, before it is said for what it answers."""
    settings = project.environment(environment)
    return ServicePlan(
        environment=environment,
        generation=1,
        host=settings.host,
        port=settings.port,
        origins=settings.origins,
        rate_limit=settings.rate_limit,
        grpc_port=settings.grpc_port,
        workers=settings.workers,
        token_sha256=tuple(
            hashlib.sha256(token.encode()).hexdigest() for token in project.tokens(environment)
        ),
        **doors(project, environment),
    )


class Answering(NamedTuple):
    """A version as a service answers for it, whether or not it was released."""

    environment: str
    model: str
    version: int
    package: str
    trial: Trial | None = None


def served(project: Project, release: Release | Answering) -> ServedModel:
    """The release as a service knows it; ``Untrusted`` when its environment does not trust who signed it."""
    folder = materialised(project, release.package)
    trust = project.trust(release.environment)
    if trust.always:
        vouched(folder, digest=release.package, trust=trust)
    trial = release.trial
    return ServedModel(
        model=release.model,
        version=release.version,
        model_id=model_id(release),
        package=release.package,
        folder=str(folder.resolve()),
        trust=trust,
        arm=trial.arm if trial else "champion",
        share=trial.share if trial else 1.0,
        sticky=trial.sticky if trial else None,
    )


def model_id(release: Release | Answering) -> str:
    """``screening/prod/7``, on trial ``screening/prod/8/canary``: recorded with each prediction."""
    plain = f"{release.model}/{release.environment}/{release.version}"
    return f"{plain}/{release.trial.arm}" if release.trial else plain


def address(project: Project, environment: str) -> str:
    """The URL at which an environment's service answers."""
    settings = project.environment(environment)
    if settings.pods:
        at = infra.place(project.settings, project.root, user="")
        return settings.pods.address or f"http://{at.project}.{at.stage(environment).namespace}.svc"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{settings.port}"


def wanted(facts: Facts, environment: str, model: str) -> Release | None:
    """A release that was begun and neither went live nor failed: its deploy was killed."""
    pending = [r for r in facts.releases.list(environment, model) if r.status == "wanted"]
    return pending[0] if pending else None


def _live(facts: Facts, environment: str, models: tuple[str, ...]) -> list[Release]:
    found = [facts.releases.live(environment, model) for model in models]
    strangers = {
        r.model for r in facts.releases.list(environment) if r.status == "live" and r.model not in models
    }
    if strangers:
        raise SettingsError(
            f"{', '.join(sorted(strangers))} is live in {environment} but no longer in modelyard.toml; "
            f"put [models.{sorted(strangers)[0]}] back, or run 'modelyard stop {environment}'."
        )
    return [release for release in found if release]
