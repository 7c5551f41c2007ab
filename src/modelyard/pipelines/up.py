"""``up``: the parts of the control plane on this machine, each a process of its own, kept running.

It imports none of them. A part that ends is started again, later each time; all end with this process.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from modelyard.errors import Misuse, StoreDown
from modelyard.pipelines.leash import Child
from modelyard.pipelines.until import Until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.project import Project

_TICK = 0.2
_FIRST, _LONGEST = 1.0, 60.0
_CALM = 60.0
"""Seconds after which a part that ended anew is as good as one that never did."""
_PATIENCE = 15.0
"""Seconds that the parts have to put their work away."""


def up(
    project: Project,
    parts: Mapping[str, Sequence[str]],
    until: Until,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Keep the parts (what ``python -m`` runs, by name) running until told to end.

    Raises ``Misuse`` where another ``up`` of this project runs on this machine.
    """
    with _only_one(project.home):
        running = [_Part(name, words, report) for name, words in parts.items()]
        try:
            while not until.ended:
                for part in running:
                    part.look()
                until.wait(_TICK)
        finally:
            for part in running:
                part.ask()
            deadline = time.monotonic() + _PATIENCE
            for part in running:
                part.end(deadline)


class _Part:
    def __init__(self, name: str, words: Sequence[str], report: Callable[[str], None]) -> None:
        self._command = [sys.executable, "-m", *words]
        self._name, self._report = name, report
        self._child: Child | None = None
        self._wait, self._due = _FIRST, 0.0

    def look(self) -> None:
        if self._child is not None and (code := self._child.code) is not None:
            lived = time.monotonic() - self._child.began
            self._child.gone(0.0)
            self._child = None
            self._wait = _FIRST if lived > _CALM else min(2 * self._wait, _LONGEST)
            self._due = time.monotonic() + self._wait
            self._report(f"{self._name} ended (exit code {code}); it is started again in {self._wait:g} s")
        if self._child is None and time.monotonic() >= self._due:
            self._child = Child(self._command, environ=os.environ)

    def ask(self) -> None:
        if self._child is not None:
            self._child.ask()

    def end(self, deadline: float) -> None:
        if self._child is not None:
            self._child.gone(max(0.0, deadline - time.monotonic()))


@contextmanager
def _only_one(home: Path) -> Iterator[IO[bytes]]:
    path = home / "locks" / "up.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise StoreDown(f"The lock {path} cannot be taken: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misuse(
                f"'modelyard up' runs for this project already ('fuser {path}' names it); end it first, or add a machine by "
                "'modelyard worker'."
            ) from None
        yield file
