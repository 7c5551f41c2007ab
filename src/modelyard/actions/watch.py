"""Monitoring by the clock: the windows that are over and were not looked at yet."""

from __future__ import annotations

import datetime as dt

from modelyard.actions.monitor import HISTORY, Asked, looked
from modelyard.project import Project, now
from modelyard.records.finding import WindowReport
from modelyard.records.window import ExaminedWindow
from modelyard.settings import MonitorSettings

MOST = 100
"""Windows that one look makes up for."""
_MOMENT = dt.timedelta(microseconds=1)


def watch(project: Project, environment: str, model: str) -> tuple[WindowReport, ...]:
    """Examine what is over since the last window of the settings' kind, in order of time; the first time the newest.

    After a long pause only the newest ``MOST`` windows. None when no window is over.
    """
    from modelyard import monitoring

    settings, until = project.monitor(model), now()
    with project.yard.read() as facts:
        earlier = facts.windows.list(environment, model, until=until, limit=HISTORY)
    last = next((window for window in earlier if _regular(settings, window)), None)
    if last is None:
        return looked(project, environment, model, asked=Asked(last=1, until=until))
    since = last.start + _MOMENT if settings.every else last.end
    if monitoring.by_rows(settings) is None:
        newest = monitoring.last(settings, MOST, until)
        since = max(since, newest[0].start) if newest else since
        if not monitoring.between(settings, since, until):
            return ()
    return looked(project, environment, model, asked=Asked(since=since, until=until, each=True))


def _regular(settings: MonitorSettings, window: ExaminedWindow) -> bool:
    """Whether it is one that the settings cut, and none that somebody asked for by its times."""
    from modelyard import monitoring

    if monitoring.by_rows(settings) is not None:
        return True
    span = monitoring.Span(window.start, window.end)
    return monitoring.between(settings, window.start, window.end) == [span]
