"""Checkpoints of the audit chain: its size and root, kept in a file outside the database.

One line a transaction that appended events, in JSON. The file shows that the chain was cut or
written anew as a whole. Whoever can write the database and this file can rewrite both, which a signed checkpoint that
is kept elsewhere shows.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from modelyard.errors import AuditBroken, DatabaseDown


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    size: int
    """How many events the chain held."""
    root: str
    """The sha256 of the canonical bytes of the last of them."""


def append(path: Path, checkpoint: Checkpoint) -> None:
    """Add a line to the file, which is there since the yard was made.

    What it vouches for is committed already, so a full disk is no failure here: the next
    checkpoint covers this one.
    """
    line = msgspec.json.encode(checkpoint) + b"\n"
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            end = os.lseek(file, 0, os.SEEK_END)
            torn = end > 0 and os.pread(file, 1, end - 1) != b"\n"
            os.write(file, b"\n" + line if torn else line)
        finally:
            os.close(file)


def read(path: Path) -> list[Checkpoint] | None:
    """All of them, None when there is no such file. A line that a crash cut short is passed over."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseDown(f"The audit checkpoints {path} cannot be read: {error.strerror}.") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Checkpoint))
        except msgspec.ValidationError:
            raise AuditBroken(f"Line {number} of the audit checkpoints {path} was edited.") from None
        except msgspec.DecodeError as error:
            if "truncated" not in str(error):
                raise AuditBroken(f"Line {number} of the audit checkpoints {path} was edited.") from None
    return found
