"""What a training prints, in a file that keeps its beginning and its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import sys
import termios
import threading
import time
from pathlib import Path

HEAD, TAIL = 1 << 18, 3 << 18
"""Bytes that are kept."""


class Log:
    """Fills ``path`` from a pipe until nobody writes into it any more; a gigabyte takes two megabytes.

    The pipe is read by a thread, so that whoever prints never waits for whoever trains.
    """

    def __init__(self, path: Path, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._path, self._head, self._tail = path, head, tail
        self._size = self._left_out = 0
        self._mark = b""
        self._file = path.open("w+b")
        self._read, self.write = os.pipe()
        """The end that a process is given; to be closed by ``handed_over``."""
        self._taking = threading.Lock()
        self._thread = threading.Thread(target=self._pump, name="modelyard-log", daemon=True)
        self._thread.start()

    def handed_over(self) -> None:
        """The process has its end."""
        os.close(self.write)

    def close(self) -> None:
        """Wait for the last words; a process that got away and still holds the pipe is not waited for."""
        self._thread.join(2.0)

    def settle(self) -> None:
        """Wait, a second at most, until what was printed so far is in the file."""
        due = time.monotonic() + 1.0
        while self._thread.is_alive() and time.monotonic() < due:
            with self._taking:
                if not self._waiting():
                    return
            time.sleep(0.001)

    def _waiting(self) -> int:
        """Bytes in the pipe."""
        try:
            count = fcntl.ioctl(self._read, termios.FIONREAD, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(count, sys.byteorder)

    def _pump(self) -> None:
        try:
            with contextlib.closing(selectors.DefaultSelector()) as ready:
                ready.register(self._read, selectors.EVENT_READ)
                while ready.select():
                    with self._taking:
                        if not (piece := os.read(self._read, 1 << 16)):
                            return
                        with contextlib.suppress(OSError):  # a full disk ends no training
                            self._take(piece)
        finally:
            os.close(self._read)
            self._file.close()

    def _take(self, piece: bytes) -> None:
        self._file.write(piece)
        self._file.flush()
        self._size += len(piece)
        if self._size > self._head + 2 * self._tail:
            self._cut()

    def _cut(self) -> None:
        """Written anew beside it and renamed, so that a reader sees the one or the other."""
        start = self._size - self._tail
        self._left_out += start - self._head - len(self._mark)
        self._file.seek(0)
        kept = self._file.read(self._head)
        self._file.seek(start)
        end = self._file.read()
        self._mark = f"\n[{self._left_out} bytes are left out here]\n".encode()
        draft = self._path.with_suffix(".draft")
        file = draft.open("w+b")
        file.write(kept + self._mark + end)
        file.flush()
        draft.replace(self._path)
        self._file.close()
        self._file, self._size = file, len(kept) + len(self._mark) + len(end)


def last(path: Path, size: int = 2000) -> str:
    """The end of the file, from the beginning of a line."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text if length <= size else text.partition("\n")[2]
