"""What people are told of, until it is over."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from modelyard.records.finding import Family, FindingKind

Severity = Literal["warning", "critical"]
AlertState = Literal["open", "resolved"]
News = Literal["opened", "escalated", "resolved", "test"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble from when it was seen first until it is over; of the same only one is open."""

    id: int
    environment: str
    model: str
    kind: FindingKind | Literal["job"]
    column: str = ""
    """With its slice where it is of one; of a job what it does."""
    family: Family
    severity: Severity
    state: AlertState = "open"
    sentence: str
    """As it was found last."""
    version: int = 0
    report: str = ""
    """Digest of the window's report that found it last; empty for a job's."""
    opened: dt.datetime
    seen: dt.datetime
    """The end of the window that found it last."""
    times: int = 1
    """Windows that found it."""
    calm: int = 0
    """Judged windows since then that did not."""
    told: bool = False
    """Whether channels were."""
    escalated: dt.datetime | None = None
    silenced: dt.datetime | None = None
    """Until then nobody is told."""
    resolved: dt.datetime | None = None
    by: str = ""
    """Who resolved or silenced it last; empty where it ended by itself."""
    reason: str = ""

    @property
    def key(self) -> str:
        """What makes two the same."""
        return "/".join((self.environment, self.model, self.kind, self.column))

    @property
    def about(self) -> str:
        return " ".join(word for word in (self.kind.replace("_", " "), self.column) if word)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel is to be told, of one or several alerts; kept with what became of it."""

    id: int
    channel: str
    news: News
    alerts: tuple[int, ...]
    title: str
    body: str
    severity: Severity = "warning"
    made: dt.datetime
    due: dt.datetime
    tries: int = 0
    delivered: dt.datetime | None = None
    given_up: bool = False
    problem: str = ""
    """Why the last try failed."""
