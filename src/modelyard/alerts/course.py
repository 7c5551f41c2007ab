"""An alert from its opening to its end, as functions over facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec.structs import replace

from modelyard.alerts.notices import tell
from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.records.alert import Alert
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.job import Job
from modelyard.settings.alerts import AlertSettings
from modelyard.settings.spans import span


def window_seen(
    facts: Facts,
    report: WindowReport,
    digest: str,
    settings: AlertSettings,
    *,
    now: dt.datetime,
    versions: Sequence[int] = (),
) -> None:
    """Open what the window found, and end what it is calm about; in the transaction that keeps the window.

    A window before one that was looked at already changes nothing: it is history. One that was not judged (too few rows)
    neither opens nor calms. ``versions`` answered in it: what was found of another of them only that one's report calms.
    """
    newest = facts.windows.latest(report.environment, report.model)
    if newest is not None and report.end < newest.end:
        return
    there = {
        alert.key: alert
        for alert in facts.alerts.list("open")
        if (alert.environment, alert.model) == (report.environment, report.model) and alert.kind != "job"
    }
    seen = [_of(finding, report, digest, settings, now) for finding in report.alerts]
    changed = [_seen(facts, there.pop(alert.key, None), alert, report.end) for alert in _once(seen)]
    ended = []
    if not report.note:
        for alert in there.values():
            own = alert.version == report.version or alert.version not in versions
            if own and report.end > alert.seen and (calmer := _calmer(facts, alert, settings, now)):
                ended.append(calmer)
    _tell_new(facts, changed, settings, now)
    tell(facts, "resolved", [alert for alert in ended if alert.told], settings, now)


def job_ended(facts: Facts, job: Job, settings: AlertSettings, *, now: dt.datetime) -> None:
    """A job that failed opens an alert; the next of its lane that is done ends it."""
    asked = job.asked
    made = Alert(
        id=0,
        environment=asked.environment,
        model=", ".join(asked.models),
        kind="job",
        column=asked.kind,
        family="operation",
        severity="critical" if "operation" in settings.critical else "warning",
        sentence=f"Job {job.id} ({asked.kind}) failed: {job.reason}"[:1000],
        opened=now,
        seen=now,
    )
    there = next((alert for alert in facts.alerts.list("open") if alert.key == made.key), None)
    if job.state == "failed":
        _tell_new(facts, [_seen(facts, there, made, now)], settings, now)
    elif job.state == "done" and there is not None:
        over = replace(there, state="resolved", resolved=now)
        facts.alerts.put(over)
        tell(facts, "resolved", [over] if over.told else [], settings, now)


def escalate(facts: Facts, settings: AlertSettings, *, now: dt.datetime) -> list[Alert]:
    """Tell those who are told of what stays open; once of each."""
    before = now - span(settings.escalate_after)
    due = [
        replace(alert, escalated=now)
        for alert in facts.alerts.list("open")
        if alert.escalated is None and alert.opened <= before and not _silent(alert, now)
    ]
    for alert in due:
        facts.alerts.put(alert)
    tell(facts, "escalated", due, settings, now)
    return due


def silence(facts: Facts, alert_id: int, *, until: dt.datetime, by: str, reason: str) -> Alert:
    """Nobody is told of it until then. Raises ``Misuse`` for one that is over."""
    alert = _open(facts, alert_id)
    changed = replace(alert, silenced=until, by=by, reason=reason)
    facts.alerts.put(changed)
    facts.events.append(
        "alert.silenced", f"alert/{alert.id}", about=alert.key, until=until.isoformat(), reason=reason
    )
    return changed


def resolve(
    facts: Facts, alert_id: int, *, by: str, reason: str, settings: AlertSettings, now: dt.datetime
) -> Alert:
    """A person says that it is over; a window that finds it again opens another. Raises ``Misuse``."""
    alert = _open(facts, alert_id)
    changed = replace(alert, state="resolved", resolved=now, by=by, reason=reason)
    facts.alerts.put(changed)
    facts.events.append("alert.resolved", f"alert/{alert.id}", about=alert.key, reason=reason)
    tell(facts, "resolved", [changed] if changed.told else [], settings, now)
    return changed


def found(facts: Facts, alert_id: int) -> Alert:
    """Raises ``UnknownName``."""
    if (alert := facts.alerts.get(alert_id)) is None:
        raise UnknownName(f"There is no alert {alert_id}; see 'modelyard alerts --all'.")
    return alert


def _open(facts: Facts, alert_id: int) -> Alert:
    alert = found(facts, alert_id)
    if alert.state != "open":
        raise Misuse(f"Alert {alert.id} is over since {alert.resolved:%Y-%m-%d %H:%M}.")
    return alert


def _of(
    finding: Finding, report: WindowReport, digest: str, settings: AlertSettings, now: dt.datetime
) -> Alert:
    return Alert(
        id=0,
        environment=report.environment,
        model=report.model,
        kind=finding.kind,
        column=" in ".join(part for part in (finding.column, finding.slice) if part),
        family=finding.family,
        severity="critical" if finding.family in settings.critical else "warning",
        sentence=finding.sentence,
        version=report.version,
        report=digest,
        opened=now,
        seen=report.end,
    )


def _once(alerts: Sequence[Alert]) -> list[Alert]:
    """Of two findings about the same the first."""
    by = {alert.key: alert for alert in reversed(alerts)}
    return list(reversed(by.values()))


def _seen(facts: Facts, before: Alert | None, alert: Alert, end: dt.datetime) -> Alert:
    if before is None:
        kept = replace(alert, id=facts.alerts.next_id())
    else:
        kept = replace(
            before,
            sentence=alert.sentence,
            severity=alert.severity,
            version=alert.version,
            report=alert.report,
            seen=end,
            times=before.times + (end > before.seen),
            calm=0,
        )
    facts.alerts.put(kept)
    return kept


def _calmer(facts: Facts, alert: Alert, settings: AlertSettings, now: dt.datetime) -> Alert | None:
    """The alert, when that ended it."""
    calm = alert.calm + 1
    over = calm >= settings.calm
    changed = replace(alert, calm=calm, state="resolved" if over else "open", resolved=now if over else None)
    facts.alerts.put(changed)
    return changed if over else None


def _tell_new(facts: Facts, alerts: Sequence[Alert], settings: AlertSettings, now: dt.datetime) -> None:
    """Of what nobody was told of yet, all together; what is silenced waits for the silence's end."""
    new = [replace(alert, told=True) for alert in alerts if not alert.told and not _silent(alert, now)]
    for alert in new:
        facts.alerts.put(alert)
    tell(facts, "opened", new, settings, now)


def _silent(alert: Alert, now: dt.datetime) -> bool:
    return alert.silenced is not None and now < alert.silenced
