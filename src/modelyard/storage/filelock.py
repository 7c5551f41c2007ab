"""An exclusive lock between processes and threads of one machine, with a bounded wait."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modelyard.errors import StoreDown


@contextlib.contextmanager
def held(path: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock on the file ``path`` (made if need be); freed when the process dies.

    Raises ``TimeoutError`` after ``wait`` seconds and ``OSError`` when the file cannot be opened.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _Waiter(file).wait(wait)
    except BaseException:
        os.close(file)
        raise
    try:
        yield
    finally:
        os.close(file)


class _Waiter:
    """Queues in the kernel from a thread of its own.

    Polling would starve behind a process that takes the lock again at once, and a blocking
    ``flock`` has no time limit.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._ended = threading.Event()
        self._deciding = threading.Lock()
        self._locked = self._abandoned = False
        self._error: OSError | None = None

    def wait(self, seconds: float) -> None:
        threading.Thread(target=self._queue, name="modelyard-lock", daemon=True).start()
        try:
            self._ended.wait(seconds)
        finally:
            with self._deciding:
                if not self._locked:
                    self._abandoned = True
                    if self._ended.is_set():
                        os.close(self._file)
        if self._error:
            raise self._error
        if self._abandoned:
            raise TimeoutError

    def _queue(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            self._error = error
        with self._deciding:
            if self._abandoned:
                os.close(self._file)
            self._locked = self._error is None
            self._ended.set()


def seize(file: IO[bytes]) -> None:
    """Take an open lock file for this process alone. Raises ``StoreDown`` when others hold it for ten seconds."""
    for _ in range(100):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)
    raise StoreDown("Another modelyard command is at work on this yard; run it again afterwards.")
