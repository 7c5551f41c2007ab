"""Who is asking: a token or a session to a project that acts as that person."""

from __future__ import annotations

import dataclasses
import hmac
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.errors import AccessDenied
from modelyard.project import Project, open_project
from modelyard.settings import Settings
from modelyard.settings.read import FILE

LASTS = 12 * 3600.0
"""Seconds of a session."""
_INVITED = 600.0
_MOST = 1000


@dataclasses.dataclass(frozen=True)
class Session:
    secret: str = dataclasses.field(repr=False)
    csrf: str = dataclasses.field(repr=False)
    """What a form of this session must bring along."""
    ends: float


class Sessions:
    """Kept in this process alone: when it ends, people sign in again."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._invited: dict[str, float] = {}

    def invite(self) -> str:
        """What opens one session within ten minutes, once: for whoever sees this process's output."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._invited[code] = time.monotonic() + _INVITED
        return code

    def accept(self, code: str) -> str | None:
        """The console's key for an invitation that is good; it is none afterwards."""
        with self._lock:
            ends = self._invited.pop(code, 0.0)
        return self._key if time.monotonic() < ends else None

    def begin(self, secret: str) -> str:
        """The id of a new session."""
        name = secrets.token_urlsafe(32)
        session = Session(secret, secrets.token_urlsafe(32), time.monotonic() + LASTS)
        with self._lock:
            for old in [n for n, s in self._open.items() if s.ends < time.monotonic()][:_MOST]:
                del self._open[old]
            while len(self._open) >= _MOST:
                del self._open[next(iter(self._open))]
            self._open[name] = session
        return name

    def get(self, name: str) -> Session | None:
        with self._lock:
            session = self._open.get(name)
        return session if session and time.monotonic() < session.ends else None

    def end(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)


class Desk:
    """Opens the project for whoever shows a secret: the yard's own tokens, or the console's key where the yard asks for
    none. The settings are read again when their file changed."""

    def __init__(self, project: Project, key: str) -> None:
        self._project, self._key = project, key
        self._stamp = self._changed()
        self.sessions = Sessions(key)

    @property
    def settings(self) -> Settings:
        """As they were read last."""
        return self._project.settings

    @contextmanager
    def open(self, secret: str) -> Iterator[Project]:
        """Raises ``AccessDenied`` for a secret that proves nobody; the yard asks again in each transaction."""
        project = self._fresh()
        if not secret:
            raise AccessDenied("Show a token: 'Authorization: Bearer my_…', or sign in at /login.")
        known = hmac.compare_digest(secret.encode(), self._key.encode())
        project = project.shown("" if known else secret)
        try:
            if not project.secret:
                with project.yard.read():
                    pass
            _ = project.person
            yield project
        finally:
            project.close()

    def _fresh(self) -> Project:
        if (stamp := self._changed()) != self._stamp:
            self._project = open_project(self._project.root, actor=self._project.asserted)
            self._stamp = stamp
        return self._project

    def _changed(self) -> tuple[int, int]:
        try:
            told = (self._project.root / FILE).stat()
        except OSError:
            return 0, 0  # reading it says why
        return told.st_mtime_ns, told.st_size
