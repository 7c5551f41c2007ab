"""``status``: what is live where, and whether it answers."""

from __future__ import annotations

import msgspec

from modelyard.actions.switch import address
from modelyard.project import Project


class Live(msgspec.Struct, frozen=True, kw_only=True):
    environment: str
    model: str
    version: int | None
    """None: nothing is live."""
    since: str
    by: str
    url: str
    answering: bool


def status(project: Project) -> list[Live]:
    """One line an environment and model."""
    lines = []
    for environment in project.settings.environments:
        state = project.target.state(environment)
        for model in project.settings.models:
            with project.yard.read() as facts:
                release = facts.releases.live(environment, model)
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
                )
            )
    return lines
