"""What the console shows first: every model in every environment, with its newest window."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.actions.status import Live, status
from modelyard.project import Project


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A window in short."""

    end: dt.datetime
    rows: int
    alerts: int
    judged: bool
    report: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    live: Live
    window: Look | None = None


def overview(project: Project) -> list[Cell]:
    """By environment and model, in the settings' order."""
    found = status(project)
    with project.yard.read() as facts:
        newest = [facts.windows.latest(line.environment, line.model) for line in found]
    return [
        Cell(
            live=line,
            window=Look(
                end=window.end,
                rows=window.rows,
                alerts=len(window.alerts),
                judged=window.judged,
                report=window.report,
            )
            if window
            else None,
        )
        for line, window in zip(found, newest, strict=True)
    ]
