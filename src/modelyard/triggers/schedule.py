"""The schedule: due since the last time that somebody looked, however long ago that was."""

from __future__ import annotations

import datetime as dt

from modelyard.records.trigger import Fired
from modelyard.settings import TriggerSettings
from modelyard.settings.cron import last


def schedule(settings: TriggerSettings, since: dt.datetime, moment: dt.datetime) -> Fired | None:
    """What was missed while nobody looked is made up for once."""
    if settings.schedule is None:
        return None
    due = last(settings.schedule, settings.timezone, moment)
    if due is None or due <= since:
        return None
    return Fired(
        kind="schedule",
        evidence=due.isoformat(),
        sentence=f"The schedule '{settings.schedule}' ({settings.timezone}) was due at {due:%Y-%m-%d %H:%M} UTC",
        numbers={"due": due.isoformat()},
    )
