"""What monitoring found before. A noun that ``monitor`` shares with whatever acts on its findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modelyard.actions.written import written
from modelyard.errors import Misuse, UnknownName
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
    return window_report(project, window.report)


def window_report(project: Project, digest: str) -> WindowReport:
    """Of that digest. Raises ``UnknownName`` for what is not there, or is something else."""
    content = project.artifacts.get(digest)
    try:
        return msgspec.json.decode(content, type=WindowReport)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnknownName(f"{digest} is no report of a window.") from None


COURSE = 300
"""Windows before the last whose course a report shows."""


def write(project: Project, reports: Sequence[WindowReport], path: Path) -> Path:
    """The last of the windows in full and the course of those before it, as ``.html``, ``.md`` or ``.json``.

    JSON holds all of ``reports``. Raises ``Misuse`` for another kind of file or windows of several models.
    """
    form = path.suffix.lower()
    if form not in (".html", ".md", ".json"):
        raise Misuse(f"{path} is no report's name; end it with .html, .md or .json.")
    if len({report.model for report in reports}) != 1:
        raise Misuse("A report is of one model; name it after the environment.")
    if form == ".json":
        return written(path, msgspec.json.format(msgspec.json.encode(reports), indent=2))
    from modelyard.render import monitored

    shown = max(reports, key=lambda report: (report.end, report.version))
    first = min(report.start for report in reports)
    past = history(project, shown.environment, (shown.model,), until=shown.end, limit=COURSE)
    if len(reports) > 1:
        past = [window for window in past if window.start >= first]
    past = [window for window in past if _alike(window, shown)]
    return written(path, (monitored.page if form == ".html" else monitored.text)(shown, past))


def expose(project: Project, reports: Sequence[WindowReport], path: Path) -> Path:
    """Every finding of the newest windows as Prometheus reads it; the file is replaced whole."""
    from modelyard.render.exposition import exposition

    return written(path, exposition(reports, project.settings.project.name))


def _alike(window: ExaminedWindow, shown: WindowReport) -> bool:
    """Whether both are about as long, so that one chart may show them; a month has 28 to 31 days."""
    length, other = shown.end - shown.start, window.end - window.start
    return 0.8 * length <= other <= 1.25 * length
