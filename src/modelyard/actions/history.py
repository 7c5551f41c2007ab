"""What monitoring found before. A noun that ``monitor`` shares with whatever acts on its findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from modelyard.project import Project
from modelyard.records.finding import WindowReport
from modelyard.records.window import ExaminedWindow


def history(
    project: Project,
    environment: str,
    models: Sequence[str] = (),
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: int | None = None,
) -> list[ExaminedWindow]:
    """Examined windows, newest first; ``limit`` is of each model, by default of all."""
    project.environment(environment)
    for model in models:
        project.model(model)
    with project.yard.read() as facts:
        found = [
            window
            for model in models or tuple(project.settings.models)
            for window in facts.windows.list(environment, model, since=since, until=until, limit=limit)
        ]
    return sorted(found, key=lambda window: window.end, reverse=True)


def recalled(project: Project, window: ExaminedWindow) -> WindowReport:
    """The whole report of an examined window. Raises ``UnknownName`` when it is not there any more."""
    return msgspec.json.decode(project.artifacts.get(window.report), type=WindowReport)
