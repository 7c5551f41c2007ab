"""Request ids: unique without asking anyone, and cheap."""

from __future__ import annotations

import itertools
import os


class Ids:
    """Issues ids of 26 hexadecimal characters: 64 random bits of this process, then a counter.

    Make one in each process; a forked child that inherits one issues its parent's ids again.
    """

    def __init__(self) -> None:
        self.prefix = os.urandom(8).hex()
        self._count = itertools.count()
        self._form = self.prefix.encode() + b"%010x"

    def next(self) -> bytes:
        """The next id, ASCII. Safe under threads."""
        return self._form % next(self._count)

    def some(self, n: int) -> list[bytes]:
        """The next ``n`` ids. Safe under threads."""
        form = self._form
        return [form % i for i in itertools.islice(self._count, n)]
