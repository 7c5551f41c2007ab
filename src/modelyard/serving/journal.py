"""What a service and its models print, kept within bounds."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 16 * 1024 * 1024


def trim(path: Path, *, most: int = MOST) -> None:
    """Keep the later half of a journal that outgrew ``most`` bytes, from a line's beginning.

    Those who print open it to append, so they go on behind what is kept; a line printed in the very
    moment may be lost. Nothing happens when the file is not there or cannot be written.
    """
    try:
        with path.open("r+b") as journal:
            size = journal.seek(0, os.SEEK_END)
            if size <= most:
                return
            journal.seek(size - most // 2)
            journal.readline()
            kept = journal.read()
            journal.seek(0)
            journal.write(kept)
            journal.truncate()
    except OSError:
        return
