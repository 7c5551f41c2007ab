"""Request ids: unique without asking anyone, and cheap."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable


class Ids:
    """Issues ids of 26 hexadecimal characters: 64 random bits of this process, then a counter.

    Make one in each process; a forked child that inherits one issues its parent's ids again.
    """

    def __init__(self) -> None:
        self.prefix = os.urandom(8).hex()
        self._next: Callable[[], int] = itertools.count().__next__
        self._form = self.prefix.encode() + b"%010x"

    def next(self) -> bytes:
        """The next id, ASCII. Safe under threads."""
        return self._form % self._next()
