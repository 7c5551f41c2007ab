"""``monitor``: what windows of logged predictions show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard import alerts
from modelyard.actions.groups import peopled
from modelyard.actions.hindsight import bounded, hindsight, tested
from modelyard.actions.remembered import Remembered
from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.finding import WindowReport
from modelyard.records.package import Manifest
from modelyard.records.registry import Release
from modelyard.records.window import ExaminedWindow, examined

if TYPE_CHECKING:
    import polars as pl

    from modelyard.monitoring import Bound, Hindsight, Peopled, Span, Survey

HISTORY = 400
"""Earlier windows that a judge is shown."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which windows; without anything the newest one."""

    period: str | None = None
    """A month, week, day or hour of the calendar, as one window."""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    each: bool = False
    """All windows of the settings' length between both, not all of it as one."""
    last: int | None = None
    """So many of the newest that are over."""


_NEWEST = Asked()


def monitor(
    project: Project, environment: str, model: str, *, asked: Asked = _NEWEST
) -> tuple[WindowReport, ...]:
    """Compare logged rows and answers with the reference of the version that answered.

    One report for each window, in order of time, and each version that answered in it; each is kept. A window
    without rows is one of the version that is live. Rows that came late are judged with the others when a window
    is looked at again, which replaces what was found before. Raises ``Misuse`` where no window is over.
    """
    reports = looked(project, environment, model, asked=asked)
    if not reports:
        raise Misuse(f"No window of {model} in {environment} is over in that time; ask for a longer one.")
    return reports


def looked(project: Project, environment: str, model: str, *, asked: Asked) -> tuple[WindowReport, ...]:
    """As ``monitor``; nothing where no window is over."""
    from modelyard import monitoring

    project.environment(environment)
    project.model(model)
    project.tell(f"collecting the predictions of {environment}")
    monitoring.collect(project.log_folder(environment), project.tables, environment=environment)
    log = _Log(project, environment, model)
    spans = log.spans(asked)
    reports: list[WindowReport] = []
    for at, span in enumerate(spans, start=1):
        if len(spans) > 1:
            project.tell(f"examining window {at} of {len(spans)}, {span.start:%Y-%m-%d %H:%M}")
        reports += log.examine(span)
    return tuple(reports)


class _Log:
    """What one model answered in one environment, beside the packages that did."""

    def __init__(self, project: Project, environment: str, model: str) -> None:
        self._project, self._environment, self._model = project, environment, model
        self._settings = project.monitor(model)
        self._packages: dict[int, Remembered] = {}
        self._known: dict[int, Hindsight | None] = {}
        self._peopled: dict[int, tuple[Peopled, ...]] = {}

    @property
    def _place(self) -> dict[str, Any]:
        """Where the model's predictions are."""
        return {
            "tables": self._project.tables,
            "folder": self._project.log_folder(self._environment),
            "environment": self._environment,
            "model": self._model,
        }

    def spans(self, asked: Asked) -> list[Span]:
        from modelyard import monitoring

        settings, moment = self._settings, now()
        if asked.period is not None:
            return [monitoring.period(asked.period, settings.timezone, moment)]
        until = min(asked.until or moment, moment)
        if asked.since is not None and not asked.each:
            return [monitoring.Span(asked.since, until)] if asked.since < until else []
        if monitoring.by_rows(settings) is not None:
            return self._by_rows(asked, until)
        if asked.last is not None:
            return monitoring.last(settings, asked.last, until)
        if asked.since is not None:
            return monitoring.between(settings, asked.since, until)
        return [monitoring.newest(settings, until)]

    def _by_rows(self, asked: Asked, until: dt.datetime) -> list[Span]:
        from modelyard import monitoring

        start = asked.since or dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        times = monitoring.moments(**self._place, start=start, end=until)
        if asked.since is None and asked.last is None:
            size = monitoring.by_rows(self._settings) or 0
            return [monitoring.Span(times[-min(size, len(times))] if len(times) else until, until)]
        found = monitoring.counted(self._settings, times.to_list())
        return found if asked.last is None else found[-asked.last :]

    def examine(self, span: Span) -> list[WindowReport]:
        """One report for each version that was asked, by version."""
        import polars as pl

        from modelyard import monitoring

        counted = monitoring.minutes(**self._place, start=span.start, end=span.end)
        answered = monitoring.versions(**self._place, start=span.start, end=span.end)
        # a version whose every request failed has predicted nothing
        answered = sorted({*answered, *counted.filter(pl.col("version") > 0)["version"]})
        found = [(version, self._survey(version, span)) for version in answered or [self._live.version]]
        total = sum(seen.features.rows for _, seen in found)
        reports = []
        for at, (version, seen) in enumerate(found, start=1):
            # traffic is of the model, not of a version: it is told once, with the newest
            own = counted.filter(pl.col("version") == version)
            report = self._judged(seen, own, version, span, total if at == len(found) else None)
            self._keep(report, [each for each, _ in found])
            reports.append(report)
        return reports

    def _survey(self, version: int, span: Span) -> Survey:
        from modelyard import monitoring

        learnt = self._reference(version)
        return monitoring.survey(
            **self._place,
            start=span.start,
            end=span.end,
            version=version,
            manifest=learnt.predictor.manifest,
            features=learnt.features,
            answers=learnt.answers,
            # other tools' rules are about the rows themselves
            most=monitoring.MOST if self._settings.method == "calibrated" else None,
        )

    def _judged(
        self, seen: Survey, counted: pl.DataFrame, version: int, span: Span, total: int | None
    ) -> WindowReport:
        from modelyard import monitoring

        self._project.tell(f"examining {seen.features.rows} predictions of {self._model}@{version}")
        learnt = self._reference(version)
        return monitoring.examine(
            monitoring.Evidence(
                settings=self._settings,
                environment=self._environment,
                model=self._model,
                version=version,
                start=span.start,
                end=span.end,
                reference=learnt.features,
                window=seen.features,
                answers=learnt.answers,
                window_answers=seen.answers,
                package=learnt.package,
                examined=now(),
                rows=seen.drawn,
                minutes=counted,
                history=self._history(span),
                schema=learnt.predictor.schema,
                learnt=learnt.learnt,
                tested=learnt.tested,
                replay=learnt.answered,
                total=total,
                offered=learnt.offered,
                data_until=learnt.data_until,
                manifest=learnt.predictor.manifest,
                bound=self._bound(version, learnt.predictor.manifest),
                hindsight=self._hindsight(version, span, learnt),
                groups=[groups.until(span.end) for groups in self._groups(version, learnt)],
            )
        )

    def _bound(self, version: int, manifest: Manifest) -> Bound | None:
        report, _ = tested(self._project, self._environment, self._model, version)
        return bounded(self._project, self._model, manifest, report)[1]

    def _hindsight(self, version: int, span: Span, learnt: Remembered) -> Hindsight | None:
        if version not in self._known:
            self._known[version] = hindsight(
                self._project,
                self._environment,
                self._model,
                version,
                manifest=learnt.predictor.manifest,
                truths=self._truths,
                held_out=learnt.tested,
            )
        known = self._known[version]
        return known and known.until(span.end)

    def _groups(self, version: int, learnt: Remembered) -> tuple[Peopled, ...]:
        if version not in self._peopled:
            self._peopled[version] = peopled(
                self._project,
                self._environment,
                self._model,
                version,
                manifest=learnt.predictor.manifest,
                profile=learnt.features,
                truths=self._truths,
            )
        return self._peopled[version]

    @cached_property
    def _truths(self) -> pl.DataFrame:
        from modelyard import monitoring

        resolved = monitoring.resolved(monitoring.told(**self._place), **self._place)
        return monitoring.known(resolved)

    def _history(self, span: Span) -> Sequence[ExaminedWindow]:
        with self._project.yard.read() as facts:
            earlier = facts.windows.list(self._environment, self._model, until=span.start, limit=HISTORY)
        return [window for window in earlier if window.end <= span.start]

    @cached_property
    def _live(self) -> Release:
        with self._project.yard.read() as facts:
            release = facts.releases.live(self._environment, self._model)
        if release is None:
            raise UnknownName(
                f"Nothing of {self._model} is live in {self._environment}; run 'modelyard deploy "
                f"{self._environment} {self._model}'."
            )
        return release

    def _reference(self, version: int) -> Remembered:
        if version not in self._packages:
            self._packages[version] = Remembered(self._project, self._environment, self._model, version)
        return self._packages[version]

    def _keep(self, report: WindowReport, versions: Sequence[int]) -> None:
        """The report, its place in the history, and that the window was examined, in which ``versions`` answered."""
        digest = self._project.artifacts.put(msgspec.json.encode(report))
        window = examined(report, digest)

        def append(facts: Facts) -> None:
            settings = self._project.settings.alerts
            alerts.window_seen(facts, report, digest, settings, now=report.examined, versions=versions)
            facts.windows.put(window)
            facts.events.append(
                "window.examined",
                f"{report.model}@{report.version}",
                environment=report.environment,
                package=report.package,
                since=report.start.isoformat(timespec="seconds"),
                until=report.end.isoformat(timespec="seconds"),
                rows=report.rows,
                judged="yes" if window.judged else "no",
                alerts=len(report.alerts),
                columns=", ".join(sorted({a.column or a.kind for a in report.alerts}))[:500],
                report=digest,
            )

        self._project.yard.once(fresh("monitor"), self._project.actor, append, type(None))
