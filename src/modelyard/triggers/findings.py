"""Findings: what the newest window of the watched environment shows, by family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelyard.actions.history import recalled
from modelyard.actions.monitor import monitor
from modelyard.project import Project
from modelyard.records.finding import Family, Finding, WindowReport
from modelyard.records.trigger import Fired
from modelyard.settings import TriggerSettings

_NEWEST = 20
_SPOKEN = 2
"""Alerts whose sentences a decision repeats; all are counted."""
_COMMON = ("out_of_range", "new_categories")
"""What any drift brings a little of."""


def findings(
    project: Project, model: str, settings: TriggerSettings, *, kept: bool = False
) -> Iterator[Fired]:
    """One for each family that alerts and is asked for, of what the live version answered. Broken data is always
    looked for. With ``kept`` the newest window that the history has speaks, if it has one; else one up to now is examined."""
    environment = settings.environment or ""
    with project.yard.read() as facts:
        live = facts.releases.live(environment, model)
        if live is None:
            return
        history = facts.windows.list(environment, model, limit=_NEWEST) if kept else []
    held = next((window for window in history if window.version == live.version), None)
    if held is not None:
        reports: tuple[WindowReport, ...] = (recalled(project, held),)
    else:
        reports = monitor(project, environment, model)
    for report in reports:
        if report.version == live.version:
            yield from judged(report, settings)


def judged(report: WindowReport, settings: TriggerSettings) -> Iterator[Fired]:
    """What a window's report says to the policy."""
    families: tuple[Family, ...] = ("data_quality", "live_quality", "estimated_quality", "drift")
    for family in families:
        if family != "data_quality" and family not in settings.on:
            continue
        alerts = [alert for alert in report.alerts if alert.family == family]
        if family == "data_quality":
            alerts = [alert for alert in alerts if _broken(alert, settings.policy.broken_from)]
        if alerts:
            yield _fired(family, alerts, report)


def _broken(alert: Finding, share: float) -> bool:
    return alert.kind not in _COMMON or alert.value >= share


def _fired(family: Family, alerts: Sequence[Finding], report: WindowReport) -> Fired:
    assert family != "operation"
    worst = sorted(alerts, key=lambda alert: -alert.effect)
    more = f"; and {len(alerts) - _SPOKEN} more" if len(alerts) > _SPOKEN else ""
    columns = sorted({alert.column for alert in alerts})
    numbers: dict[str, float | int | str] = {
        "version": report.version,
        "rows": report.rows,
        "start": report.start.isoformat(timespec="seconds"),
        "end": report.end.isoformat(timespec="seconds"),
        "alerts": len(alerts),
        "columns": ", ".join(columns)[:500],
    }
    for alert in worst[:_SPOKEN]:
        numbers |= {f"{alert.column} {alert.kind} {alert.statistic}": alert.value}
        numbers |= {f"{alert.column} {alert.kind} {alert.effect_name}": alert.effect}
        if alert.p_corrected is not None:
            numbers[f"{alert.column} {alert.kind} p"] = alert.p_corrected
    return Fired(
        kind=family,
        evidence=f"{report.version}: {', '.join(columns)}"[:200],
        sentence=f"{report.rows} predictions of version {report.version} in {report.environment}: "
        + "; ".join(alert.sentence.removesuffix(".") for alert in worst[:_SPOKEN])
        + more,
        numbers=numbers,
    )
