"""What the author's code prints while it runs in this process."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

LIMIT = 1 << 20
"""Bytes of output that are kept: the last ones."""


class Tail(io.BufferedIOBase):
    """Keeps the last ``limit`` bytes that were written."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._kept, self._dropped = limit, bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        piece = bytes(content)  # type: ignore[call-overload]
        self._kept += piece
        if len(self._kept) > 2 * self._limit:
            self._cut()
        return len(piece)

    def text(self) -> str:
        """What was kept, headed by how much was not."""
        self._cut()
        head = f"[{self._dropped} bytes before this are left out]\n" if self._dropped else ""
        return head + self._kept.decode("utf-8", "replace")

    def _cut(self) -> None:
        if (over := len(self._kept) - self._limit) > 0:
            self._dropped += over
            del self._kept[:over]


@contextmanager
def captured() -> Iterator[Tail]:
    """Standard output and error go to the yielded tail, input is empty, warnings are printed, not raised."""
    tail = Tail()
    buffer: Any = tail  # a TextIOWrapper asks less of it than its annotation says
    stream = io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", write_through=True)
    stdin = sys.stdin
    with redirect_stdout(stream), redirect_stderr(stream), warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, category, filename, lineno, file=None, line=None: print(
            warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr
        )
        sys.stdin = io.StringIO()
        try:
            yield tail
        finally:
            sys.stdin = stdin
