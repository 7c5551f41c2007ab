"""When a process that runs on is told to end."""

from __future__ import annotations

import signal
import threading


class Until:
    """Set by Ctrl-C and SIGTERM, once ``heed`` was called."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def heed(self) -> Until:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.end())
        return self

    def end(self) -> None:
        self._event.set()

    @property
    def ended(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Whether it was ended meanwhile."""
        return self._event.wait(seconds)
