"""What ``modelyard scan`` looks at, and what people answer for."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
from msgspec import Meta

from modelyard.records.weakness import CHECKS, Check, Level


class AllowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[scan.allow]]``: weaknesses that somebody looked at and answers for."""

    rule: str
    """Of which, such as ``B602`` or ``GHSA-*``; ``*`` stands for any part."""
    path: str = "*"
    """Where, from the project; ``*`` stands for any part."""
    reason: Annotated[str, Meta(min_length=3)]
    until: dt.date | None = None
    """The last day on which that holds."""


class ScanSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[scan]``: what ``modelyard scan`` looks for."""

    checks: Annotated[tuple[Check, ...], Meta(min_length=1)] = CHECKS
    fail_on: Level = "warning"
    """The least level that makes the answer no."""
    exclude: tuple[str, ...] = ("deploy/docker/*",)
    """Files not to look at (by default rendered build contexts, which hold copies of packages), such as ``data/*``; ``*`` stands for any part, folders too."""
    advisories: str | None = None
    """Known vulnerabilities: a folder, a zip or a file of records in the OSV format, or what ``pip-audit -f json`` wrote;
    relative to the project. Nothing is fetched."""
    licences_denied: tuple[str, ...] = ("AGPL-*", "SSPL-*", "BUSL-*")
    """SPDX names of licences that no dependency may have; ``*`` stands for any part."""
    allow: tuple[AllowSettings, ...] = ()
