"""Sources that held nothing new for a version: a note that spares reading them again (no Polars).

It may be lost or old: then they are read, and found to hold nothing new once more.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.settings import DataSettings


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    how: str
    """The settings that decided."""
    sources: tuple[SourceFile, ...]


def idle(path: Path, version: DatasetVersion, settings: DataSettings) -> tuple[SourceFile, ...]:
    """What is known to hold nothing that the version lacks."""
    try:
        note = msgspec.json.decode(path.read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError):
        return ()
    return note.sources if (note.version, note.how) == (version.digest, _how(settings)) else ()


def remember(
    path: Path, version: DatasetVersion, settings: DataSettings, sources: tuple[SourceFile, ...]
) -> None:
    """Note the sources beside those that are noted."""
    every = tuple(dict.fromkeys((*idle(path, version, settings), *sources)))
    note = _Note(version=version.digest, how=_how(settings), sources=every)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(note))
        draft.replace(path)


def _how(settings: DataSettings) -> str:
    return msgspec.json.encode((settings.growth, settings.key, settings.transform)).decode()
