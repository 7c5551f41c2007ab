"""Processes that end with the one that started them, however that ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

VARIABLE = "MODELYARD_LEASH"
"""Names the file descriptor that closes when the parent is gone."""


class Child:
    """A process in a session of its own, with a line to this one."""

    def __init__(
        self, command: Sequence[str], *, log: Path | None = None, environ: Mapping[str, str]
    ) -> None:
        theirs, self._ours = os.pipe()
        output: IO[bytes] | None = log.open("ab") if log else None
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env={**environ, VARIABLE: str(theirs)},
                pass_fds=(theirs,),
                start_new_session=True,
            )
        finally:
            os.close(theirs)
            if output:
                output.close()
        self.began = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def ask(self) -> None:
        """It may put its work away."""
        self._signal(signal.SIGTERM)

    def gone(self, seconds: float) -> int:
        """Wait so long, then end it by force with all that it started; the exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._signal(signal.SIGKILL, group=True)
        code = self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._ours)
        return code

    def _signal(self, number: int, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self._process.pid, number)
            elif self._process.poll() is None:
                os.kill(self._process.pid, number)


def heed() -> None:
    """End this process and its group by force when the parent that holds the leash is gone; without one do nothing."""
    given = os.environ.pop(VARIABLE, "")
    if given.isdigit():
        os.set_inheritable(int(given), False)
        threading.Thread(target=_follow, args=(int(given),), daemon=True).start()


def _follow(end: int) -> None:
    while os.read(end, 1):
        pass
    os.killpg(0, signal.SIGKILL)
