"""Where events go: a file of JSON Lines, or an HTTP endpoint. Neither ever fails or holds up a verb.

What could not be delivered is kept in a file of this machine and goes before the next event that can be.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

_MOST = 10_000
"""Events that are kept; the oldest go."""
_PAUSE = 60.0
"""Seconds that an endpoint which failed is not asked again by this process."""
_DOWN: dict[str, tuple[float, str]] = {}
"""Where nothing could be delivered: since when, and why not."""


@dataclass
class Outbox:
    to: str
    """A path, or ``http(s)://…``."""
    kept: Path
    """Where events wait that could not be delivered."""
    timeout: float = 2.0
    """Seconds that an event, with all that waits before it, may take."""
    token: str = ""

    def send(self, event: dict[str, Any]) -> str:
        """Deliver what waits, then the event; why not, when it was kept instead. Never raises for what is outside.

        An endpoint that failed is not asked again for a minute.
        """
        line = msgspec.json.encode(event)
        since, failed = _DOWN.get(self.to, (0.0, ""))
        if not failed or time.monotonic() - since > _PAUSE:
            failed = self._delivered([line])
            _DOWN[self.to] = (time.monotonic(), failed)
        if failed:
            self._keep(line)
        return failed

    def waiting(self) -> int:
        """How many events are kept."""
        try:
            return self.kept.read_bytes().count(b"\n")
        except OSError:
            return 0

    def _delivered(self, lines: list[bytes]) -> str:
        ends = time.monotonic() + self.timeout
        try:
            with self._spool() as file:
                waiting = file.read().splitlines() if file else []
                for at, line in enumerate(waiting):
                    if failed := self._put(line, ends):
                        self._rest(file, waiting[at:])
                        return failed
                self._rest(file, [])
            for line in lines:
                if failed := self._put(line, ends):
                    return failed
        except OSError as error:
            return str(error.strerror or error)
        return ""

    def _put(self, line: bytes, ends: float) -> str:
        left = ends - time.monotonic()
        if left <= 0:
            return f"it took more than {self.timeout:g} s"
        if self.to.startswith(("http://", "https://")):
            return _bounded(lambda: self._post(line, left), left)
        return _bounded(lambda: _append(Path(self.to), line), left)

    def _post(self, line: bytes, left: float) -> str:
        import urllib.error
        import urllib.request

        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.to, line, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=left) as answer:
                return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except urllib.error.HTTPError as error:
            return f"it answered {error.code}"
        except urllib.error.URLError as error:
            return str(error.reason)

    def _keep(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # nothing can be written here: the verb itself will say so
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            with self.kept.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(line + b"\n")
                file.flush()
                file.seek(0)
                lines = file.read().splitlines()
                if len(lines) > _MOST:
                    self._rest(file, lines[-_MOST:])

    @contextlib.contextmanager
    def _spool(self) -> Iterator[IO[bytes] | None]:
        """What waits, locked; None when nothing does, or when somebody else is delivering it."""
        if not self.waiting():
            yield None
            return
        with self.kept.open("rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield file

    def _rest(self, file: IO[bytes] | None, lines: list[bytes]) -> None:
        if file is None:
            return
        file.seek(0)
        file.truncate()
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()


def _append(path: Path, line: bytes) -> str:
    """One write, so that two processes do not mix their lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line + b"\n")
    finally:
        os.close(handle)
    return ""


def _bounded(work: Callable[[], str], seconds: float) -> str:
    """What the work said; it is left behind when it takes longer, as looking up a host's name can."""
    said: list[str] = []

    def run() -> None:
        try:
            said.append(work())
        except (OSError, ValueError) as error:
            said.append(str(error) or type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0] if said else f"it took more than {seconds:.2g} s"
