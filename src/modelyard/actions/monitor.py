"""``monitor``: what a window of logged predictions shows."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.actions.locate import opened
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.finding import WindowReport
from modelyard.records.profile import Profile
from modelyard.records.registry import Release


def monitor(
    project: Project, environment: str, model: str, *, start: dt.datetime | None = None
) -> WindowReport:
    """Compare the window's logged rows and answers with the live package's own reference.

    The window is ``monitor.MODEL.window`` back from now, or begins at ``start``. Only rows that the
    live version answered are judged.
    """
    from modelyard import monitoring

    settings = project.monitor(model)
    release = _live(project, environment, model)
    end = now()
    start = start or end - monitoring.span(settings.window)
    predictor = opened(project, release.package, environment=environment)
    folder = project.package_folder(release.package)
    project.tell(f"collecting the predictions of {environment}")
    monitoring.collect(project.log_folder(environment), project.tables, environment=environment)
    rows = monitoring.window(
        project.tables,
        project.log_folder(environment),
        environment=environment,
        model=model,
        start=start,
        end=end,
        version=release.version,
    )
    project.tell(f"examining {rows.height} predictions")
    reference = msgspec.json.decode((folder / "profile.json").read_bytes(), type=Profile)
    answers = msgspec.json.decode((folder / "answers.json").read_bytes(), type=Profile)
    found = monitoring.examine(
        reference,
        answers,
        monitoring.count_features(rows, predictor.schema, reference),
        monitoring.count_predictions(rows, predictor.manifest, answers),
        settings=settings,
        environment=environment,
        model=model,
        version=release.version,
        start=start,
        end=end,
    )
    _keep(project, found, release.package)
    return found


def _keep(project: Project, found: WindowReport, package: str) -> None:
    """That the window was examined, and what came of it, in short."""
    columns = sorted({alert.column for alert in found.alerts})

    def append(facts: Facts) -> None:
        facts.events.append(
            "window.examined",
            f"{found.model}@{found.version}",
            environment=found.environment,
            package=package,
            since=found.start.isoformat(timespec="seconds"),
            until=found.end.isoformat(timespec="seconds"),
            rows=found.rows,
            judged="no" if found.note else "yes",
            alerts=len(found.alerts),
            columns=", ".join(columns)[:500],
        )

    project.yard.once(fresh("monitor"), project.actor, append, type(None))


def _live(project: Project, environment: str, model: str) -> Release:
    project.environment(environment)
    project.model(model)
    with project.yard.read() as facts:
        release = facts.releases.live(environment, model)
    if release is None:
        raise UnknownName(
            f"Nothing of {model} is live in {environment}; run 'modelyard deploy {environment} {model}'."
        )
    return release
