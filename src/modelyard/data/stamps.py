"""What local files held when they were last read, so that files which lie untouched are not read again.

A file is taken for untouched while its size, times, number and device are those before it was read: whatever
writes to it moves the time of its change (ctime), which no program sets. The note may be lost or damaged: then files are read.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Size in bytes, modified and changed in nanoseconds, inode, device."""

_SETTLED = 2_000_000_000
"""Nanoseconds; coarse clocks of file systems could hide a second write within them."""
_MOST = 200_000
"""Files noted; beyond, only those of the last look stay."""


class Heard(NamedTuple):
    """Of a file that was read to its end."""

    size: int
    sha256: str
    stamp: Stamp
    """From before it was read."""


class Stamps:
    """The files known of one project, and what becomes known while it is open."""

    def __init__(self, root: Path) -> None:
        self._path = root / ".modelyard" / "stamps.json"
        self._before = _noted(self._path)
        self._seen: dict[str, Heard] = {}

    def known(self, path: Path) -> Heard | None:
        """What the file holds, when it lies as it did."""
        heard = self._before.get(str(path))
        if heard is None or heard.stamp != stamp(path):
            return None
        self._seen[str(path)] = heard
        return heard

    def hear(self, path: Path, heard: Heard) -> None:
        """Note what was read; not of a file that was changed just before or has been since."""
        changed = max(heard.stamp[1:3])
        if changed < time.time_ns() - _SETTLED and stamp(path) == heard.stamp:
            self._seen[str(path)] = heard

    def keep(self) -> None:
        """Write down what became known, where the project has its folder for such things."""
        if not self._path.parent.is_dir() or self._seen.items() <= self._before.items():
            return
        every = {**_noted(self._path), **self._seen}
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            try:
                draft.write_bytes(msgspec.json.encode(every if len(every) <= _MOST else self._seen))
                draft.replace(self._path)
            finally:
                draft.unlink(missing_ok=True)


def stamp(path: Path) -> Stamp | None:
    """None for a file that is gone or may not be looked at."""
    try:
        told = path.stat()
    except OSError:
        return None
    return (told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino, told.st_dev)


def _noted(path: Path) -> Mapping[str, Heard]:
    there = stamp(path)
    return {} if there is None else _decoded(path, there)


@functools.lru_cache(maxsize=4)
def _decoded(path: Path, _there: Stamp) -> Mapping[str, Heard]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Heard])
    except (OSError, msgspec.DecodeError):
        return {}
