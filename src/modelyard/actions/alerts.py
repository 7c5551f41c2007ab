"""``alerts``: what people are told of: looked at, silenced, resolved, tried out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from modelyard import alerts
from modelyard.project import Project, fresh, now
from modelyard.records.alert import Alert, Notice


def listed(project: Project, *, over: bool = False, limit: int | None = None) -> list[Alert]:
    """Open ones, newest first; with ``over`` all."""
    with project.yard.read() as facts:
        return facts.alerts.list(None if over else "open", limit=limit)


def shown(project: Project, alert_id: int) -> tuple[Alert, list[Notice]]:
    """One of them, and what channels were told of it, newest first. Raises ``UnknownName``."""
    with project.yard.read() as facts:
        alert = alerts.found(facts, alert_id)
        return alert, [notice for notice in facts.notices.list() if alert_id in notice.alerts]


def silence(
    project: Project, alert_id: int, *, lasts: dt.timedelta, reason: str = "", operation: str | None = None
) -> Alert:
    """Nobody is told of it for that time."""
    return project.yard.once(
        operation or fresh("silence"),
        project.actor,
        lambda facts: alerts.silence(
            facts, alert_id, until=now() + lasts, by=project.actor, reason=reason.strip()[:300]
        ),
        Alert,
    )


def resolve(project: Project, alert_id: int, *, reason: str = "", operation: str | None = None) -> Alert:
    """It is over, by a person's word; a window that finds it again opens another."""
    return project.yard.once(
        operation or fresh("resolve"),
        project.actor,
        lambda facts: alerts.resolve(
            facts,
            alert_id,
            by=project.actor,
            reason=reason.strip()[:300],
            settings=project.settings.alerts,
            now=now(),
        ),
        Alert,
    )


def tried_out(project: Project, channels: Sequence[str] = ()) -> list[Notice]:
    """A test message to each channel, at once; what became of it."""
    known = alerts.Channels(project.settings.alerts, project.root)
    return [
        alerts.tried_out(name, known, project=project.settings.project.name, now=now())
        for name in channels or tuple(project.settings.alerts.channels)
    ]


def deliver(project: Project) -> list[Notice]:
    """Send what is due to its channels; what fails is tried again later. Raises only what the yard raises.

    A notice is put off before it is sent, so that two who deliver send it once unless one of them is killed meanwhile:
    then it is sent again.
    """
    moment = now()
    with project.yard.read() as facts:
        due = facts.notices.due(moment, 20)
    channels = alerts.Channels(project.settings.alerts, project.root)
    sent = []
    for notice in due:
        if project.yard.mark(project.actor, lambda facts, of=notice: alerts.put_off(facts, of, now=now())):  # type: ignore[misc]
            tried = alerts.send(notice, channels, now=now())
            project.yard.mark(project.actor, lambda facts, of=tried: facts.notices.put(of))  # type: ignore[misc]
            sent.append(tried)
    return sent


def escalate(project: Project) -> list[Alert]:
    """Tell of what stays open, where channels are for that."""
    return project.yard.mark(
        project.actor, lambda facts: alerts.escalate(facts, project.settings.alerts, now=now())
    )
