"""What a backup of a yard holds."""

from __future__ import annotations

import datetime as dt

import msgspec

MANIFEST = "backup.json"


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    size: int
    sha256: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The first file of the archive; it lists every other one."""

    format: int = 1
    modelyard: str
    """The version that made it."""
    at: dt.datetime
    project: str
    files: tuple[KeptFile, ...]
