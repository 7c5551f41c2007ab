"""Versions, what people say of them, what environments admit, what went live."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

ReleaseStatus = Literal[
    "wanted", "live", "failed", "replaced", "rolled_back", "stopped", "canary", "shadow", "ended"
]
"""``canary`` and ``shadow`` are on trial beside what is live, until they are ``ended``."""


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
    metrics: dict[str, float] = {}
    """What its report measured, as far as it is finite: what versions are searched by."""

    @property
    def ref(self) -> str:
        return f"{self.model}@{self.number}"


class Deprecation(msgspec.Struct, frozen=True, kw_only=True):
    """A version is to be used no more: it is neither promoted nor deployed."""

    reason: str
    successor: int | None = None
    """The version of the same model to use instead."""
    by: str
    since: dt.datetime


class Marks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people say of a version and may change; the version itself never does."""

    model: str
    version: int
    note: str = ""
    tags: dict[str, str] = {}
    deprecated: Deprecation | None = None


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name that people move from version to version: ``screening@champion``."""

    model: str
    name: str
    version: int
    by: str
    given: dt.datetime


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """A version may be deployed to this environment."""

    model: str
    version: int
    environment: str
    admitted: dt.datetime
    by: str
    where: str = ""
    """The filter that chose the version; empty when it was named."""
    reason: str = ""


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


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How a version is tried beside the live one."""

    arm: Literal["canary", "shadow"]
    share: float = 1.0
    """Of the requests that a canary answers."""
    sticky: str | None = None
    """The header by whose value clients are divided; None: each request at random."""


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
    ended: dt.datetime | None = None
    """When it was live no more; None while it is, and in what was recorded before this was."""
    restores: int | None = None
    """The release that a rollback brings back; None for a deploy."""
    trial: Trial | None = None
    tests: str | None = None
    """Digest of the report on its application tests; None where none were made."""
