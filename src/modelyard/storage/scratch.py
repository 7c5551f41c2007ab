"""Folders for the time of one piece of work, told from those that a killed command left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWNER = ".owner"
"""A file in the folder that its owner holds locked: the lock ends with the process, however that ends."""


class Scratch:
    """A new folder in ``parent`` (made when missing; by default where temporary files are), until ``close``.

    With ``inherited`` the program that this process is replaced by owns it after. Raises ``OSError``.
    """

    def __init__(self, prefix: str, parent: Path | None = None, *, inherited: bool = False) -> None:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            self._owner = os.open(self.path / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._owner, fcntl.LOCK_EX)
            if (self.path / OWNER).exists():  # else it was swept before it was locked
                break
            os.close(self._owner)
        os.set_inheritable(self._owner, inherited)

    def close(self) -> None:
        """Remove the folder, or what is left of it. A second time does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        owner, self._owner = self._owner, -1
        if owner >= 0:
            os.close(owner)


@contextmanager
def scratch(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder that is gone on leaving. Raises ``OSError``."""
    folder = Scratch(prefix, parent)
    try:
        yield folder.path
    finally:
        folder.close()


def left_over(parent: Path, pattern: str) -> list[Path]:
    """Scratch folders of this user whose owner is gone."""
    try:
        found = sorted(parent.glob(pattern))
    except OSError:
        return []
    return [folder for folder in found if _is_left(folder)]


def sweep(folder: Path) -> None:
    """Remove a scratch folder, unless somebody has come to own it."""
    with _unowned(folder) as free:
        if free:
            shutil.rmtree(folder, ignore_errors=True)


def size(folder: Path) -> int:
    """Bytes of all files."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it went meanwhile
                total += Path(place, name).lstat().st_size
    return total


def _is_left(folder: Path) -> bool:
    with _unowned(folder) as free:
        return free


@contextmanager
def _unowned(folder: Path) -> Iterator[bool]:
    """Whether nobody owns the folder; nobody can come to while this is open."""
    try:
        owner = os.open(folder / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield False  # no scratch folder, or another user's
        return
    try:
        if os.fstat(owner).st_uid != os.getuid():
            yield False
            return
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(owner)
