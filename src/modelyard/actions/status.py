"""``status``: what is live where, and whether it answers."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.actions.switch import address
from modelyard.errors import Outage
from modelyard.project import Project
from modelyard.records.service import ServiceState


class Live(msgspec.Struct, frozen=True, kw_only=True):
    environment: str
    model: str
    version: int | None
    """None: nothing is live."""
    since: str
    by: str
    url: str
    answering: bool
    deprecated: str = ""
    """Why it is to be used no more."""
    drift: tuple[str, ...] = ()
    """What stands otherwise where it runs than it was deployed."""


def status(project: Project, *, at: dt.datetime | None = None) -> list[Live]:
    """One line an environment and model; with ``at`` as it was then, and whether it answered nobody knows."""
    if at is not None:
        return _then(project, at)
    lines = []
    for environment in project.settings.environments:
        state, drift = _state(project, environment)
        for model in project.settings.models:
            with project.yard.read() as facts:
                release = facts.releases.live(environment, model)
                said = facts.labels.get(model, release.version).deprecated if release else None
            model_id = f"{model}/{environment}/{release.version}" if release else ""
            lines.append(
                Live(
                    environment=environment,
                    model=model,
                    version=release.version if release else None,
                    since=f"{release.finished:%Y-%m-%d %H:%M:%S}" if release and release.finished else "",
                    by=release.by if release else "",
                    url=f"{address(project, environment)}/models/{model}/predict",
                    answering=bool(release and state and state.workers and model_id in state.models),
                    deprecated=said.reason if said else "",
                    drift=drift if release else (),
                )
            )
    return lines


def _state(project: Project, environment: str) -> tuple[ServiceState | None, tuple[str, ...]]:
    """None too where a server cannot be asked: then nobody knows that it answers."""
    state = None
    try:
        state = project.target.state(environment)
        return state, project.target.drift(environment)
    except Outage as error:
        project.tell(str(error))
        return state, ()


def _then(project: Project, at: dt.datetime) -> list[Live]:
    from modelyard.registry import live_at

    with project.yard.read() as facts:
        found = live_at(facts, at)
    return [
        Live(
            environment=release.environment,
            model=release.model,
            version=release.version,
            since=f"{release.finished:%Y-%m-%d %H:%M:%S}",
            by=release.by,
            url="",
            answering=False,
        )
        for release in found
    ]
