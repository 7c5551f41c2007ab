"""Names that outlast power loss: a file system may forget a new entry until its folder is synced."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """The file's content, or the folder's entries, onto the disk."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make(folder: Path) -> None:
    """Make the folder and those above it that are missing."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)
