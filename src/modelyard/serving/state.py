"""What the supervisor is told by others and tells them, as files."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from modelyard.errors import SettingsError
from modelyard.records.service import ServicePlan, ServiceState
from modelyard.serving import tell


def announce(path: Path, state: ServiceState) -> None:
    """Write the state so that a reader sees the old one or the new; a full disk stops no service."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        scratch.replace(path)
    except OSError as error:
        tell.say(f"The state {path} cannot be written: {error.strerror}", "error")


def contents(path: Path) -> tuple[object, bytes]:
    """A plan's file, and what tells whether it changed since; ``SettingsError``."""
    try:
        stat = path.stat()
        return (stat.st_mtime_ns, stat.st_ino, stat.st_size), path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The plan {path} cannot be read: {error.strerror}.") from None


def read_plan(content: bytes, path: Path) -> ServicePlan:
    """``SettingsError`` for what is no plan."""
    try:
        return msgspec.json.decode(content, type=ServicePlan)
    except msgspec.DecodeError as error:
        raise SettingsError(f"The plan {path} is none: {error}.") from None
