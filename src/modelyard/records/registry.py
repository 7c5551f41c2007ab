"""Versions, what environments admit, what people said, what went live."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

ReleaseStatus = Literal["wanted", "live", "failed", "replaced", "rolled_back", "stopped"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """``model@number``; numbers are never reused."""

    model: str
    number: int
    package: str
    run: str
    report: str
    dataset: str
    registered: dt.datetime
    by: str

    @property
    def ref(self) -> str:
        return f"{self.model}@{self.number}"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """A version may be deployed to this environment."""

    model: str
    version: int
    environment: str
    admitted: dt.datetime
    by: str


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A person's yes or no; the last one for a subject counts."""

    model: str
    version: int
    subject: str
    """What the environment asks for, ``ethics``."""
    yes: bool
    reason: str
    by: str
    verified: bool = False
    """False: the name was asserted, no token proved it."""
    given: dt.datetime


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A version going live in an environment; their history is what rollback walks."""

    id: int
    environment: str
    model: str
    version: int
    package: str
    status: ReleaseStatus
    reason: str = ""
    by: str
    started: dt.datetime
    finished: dt.datetime | None = None
    """When it went live or failed."""
    restores: int | None = None
    """The release that a rollback brings back; None for a deploy."""
