"""Which channels are told of which alerts, and in which words: one message for all of a window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from modelyard.ports import Facts
from modelyard.records.alert import Alert, News, Notice
from modelyard.settings.alerts import AlertSettings, ChannelSettings

_SHOWN = 20
"""Alerts that a message names; of more it says how many."""


def tell(
    facts: Facts, news: News, alerts: Sequence[Alert], settings: AlertSettings, now: dt.datetime
) -> None:
    """Put a notice to each channel that is told of some of them; it is sent afterwards, by another process."""
    for name, channel in settings.channels.items():
        wanted = [alert for alert in alerts if _wants(channel, news, alert)]
        if wanted:
            facts.notices.put(
                Notice(
                    id=facts.notices.next_id(),
                    channel=name,
                    news=news,
                    alerts=tuple(alert.id for alert in wanted),
                    title=_title(news, wanted),
                    body=_body(wanted, settings),
                    severity="critical" if any(a.severity == "critical" for a in wanted) else "warning",
                    made=now,
                    due=now,
                )
            )


def _wants(channel: ChannelSettings, news: News, alert: Alert) -> bool:
    if channel.escalation and not (news == "escalated" or (news == "resolved" and alert.escalated)):
        return False
    if news == "escalated" and not channel.escalation:
        return False
    return all(
        not wanted or value in wanted
        for wanted, value in (
            (channel.models, alert.model),
            (channel.environments, alert.environment),
            (channel.families, alert.family),
            (channel.severities, alert.severity),
        )
    )


def _title(news: News, alerts: Sequence[Alert]) -> str:
    first = alerts[0]
    where = " ".join(
        word for word in (first.model, "in" if first.environment else "", first.environment) if word
    )
    what = first.about if len(alerts) == 1 else f"{len(alerts)} alerts"
    said = {"opened": "", "escalated": "still open: ", "resolved": "over: ", "test": ""}[news]
    return f"{where}: {said}{what}"


def _body(alerts: Sequence[Alert], settings: AlertSettings) -> str:
    lines = []
    for alert in alerts[:_SHOWN]:
        lines.append(f"[{alert.severity}] {alert.about}: {alert.sentence}")
        if page := settings.runbooks.get(alert.kind) or settings.runbooks.get(alert.family):
            lines.append(f"  what to do: {page}")
        lines.append(
            f"  alert {alert.id}, open since {alert.opened:%Y-%m-%d %H:%M} UTC, seen {alert.times} times"
        )
    if len(alerts) > _SHOWN:
        lines.append(f"and {len(alerts) - _SHOWN} more: modelyard alerts")
    return "\n".join(lines)
