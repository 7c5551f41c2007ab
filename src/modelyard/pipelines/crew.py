"""Processes that do steps side by side, one step at a time each.

A step has a process to itself, since an author's code may change what a process has only one of: the
working folder, standard output, the import path. A process that is ended by force takes its step with
it and nothing else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec

from modelyard.errors import StepDied
from modelyard.pipelines.steps import Done, Job, perform
from modelyard.project import Project, open_project

_PATIENCE = 5.0
"""Seconds that a process has to put its step away before it is killed."""
_THREADED = ("polars", "onnxruntime", "pyarrow", "sklearn", "torch")
"""With one of them a process has threads, and locks that a fork would leave shut."""


class Told(msgspec.Struct, frozen=True):
    """What a step is doing."""

    name: str
    sentence: str


class Ended(msgspec.Struct, frozen=True):
    name: str
    outcome: Done | Exception


class Crew:
    """At most ``size`` processes, started when there is work for them."""

    def __init__(self, project: Project, size: int) -> None:
        self._project, self._size = project, size
        self._mates: list[_Mate] = []

    @property
    def free(self) -> bool:
        return len(self._mates) < self._size or any(mate.job is None for mate in self._mates)

    @property
    def busy(self) -> bool:
        return any(mate.job is not None for mate in self._mates)

    def begin(self, job: Job) -> None:
        """Give the step to a process that is free."""
        mate = next((mate for mate in self._mates if mate.job is None), None)
        if mate is None:
            mate = _Mate(self._project)
            self._mates.append(mate)
        mate.begin(job)

    def wait(self, seconds: float) -> list[Told | Ended]:
        """What happened, as soon as something has or the time is up."""
        ready = wait([mate.connection for mate in self._mates if mate.job], seconds)
        heard = [mate.hear() for mate in self._mates if mate.connection in ready]
        self._mates = [mate for mate in self._mates if mate.alive]
        return heard

    def end(self) -> None:
        """Let free processes go; interrupt the others, and kill those that do not heed it."""
        for mate in self._mates:
            mate.dismiss()
        deadline = time.monotonic() + _PATIENCE
        for mate in self._mates:
            mate.gone(deadline)
        self._mates = []


class _Mate:
    """One process and the line to it."""

    def __init__(self, project: Project) -> None:
        context = multiprocessing.get_context("fork" if _alone() else "spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, project.root, project.asserted), name="modelyard-step"
        )
        self._process.start()
        theirs.close()
        self.job: Job | None = None
        self.alive = True

    def begin(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it died: hearing of it says so
            self.connection.send(job)

    def hear(self) -> Told | Ended:
        if self.job is None:
            raise AssertionError("nothing was asked of this process")
        name = self.job.node.name
        try:
            heard: Told | Done | Exception = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self._process.join()
            return Ended(name, _death(name, self._process.exitcode))
        if isinstance(heard, Told):
            return heard
        self.job = None
        return Ended(name, heard)

    def dismiss(self) -> None:
        if self.job is not None:
            self._signal(signal.SIGINT)
            return
        with contextlib.suppress(OSError):
            self.connection.send(None)

    def gone(self, deadline: float) -> None:
        self._process.join(max(0.0, deadline - time.monotonic()))
        self._signal(signal.SIGKILL)
        self._process.join()
        self.connection.close()

    def _signal(self, number: int) -> None:
        """To the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid or 0, number)
            return
        with contextlib.suppress(ProcessLookupError):  # it leads no group yet
            os.kill(self._process.pid or 0, number)


def _death(name: str, code: int | None) -> Exception:
    how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
    hint = "; the machine may have been out of memory" if code == -signal.SIGKILL else ""
    return StepDied(f"The process of {name} ended by {how}{hint}; what was done before is kept, build again.")


def _alone() -> bool:
    return not any(name in sys.modules for name in _THREADED) and threading.active_count() == 1


def _serve(connection: Connection, root: Path, actor: str) -> None:
    """Do steps as they come, until the other side is gone."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    job: Job | None = None

    def tell(sentence: str) -> None:
        with contextlib.suppress(OSError):
            connection.send(Told(job.node.name if job else "", sentence))

    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        project = open_project(root, actor=actor, tell=tell)
        while (job := connection.recv()) is not None:
            connection.send(_outcome(project, job, perform))


def _outcome(project: Project, job: Job, work: Callable[[Project, Job], Done]) -> Done | Exception:
    try:
        return work(project, job)
    except (Exception, SystemExit) as error:
        return _portable(error)


def _portable(error: BaseException) -> Exception:
    """The same error where it can be sent, else one that says as much."""
    try:
        again = pickle.loads(pickle.dumps(error))
    except Exception:
        again = None
    return again if isinstance(again, Exception) else RuntimeError(f"{type(error).__name__}: {error}")


def _die_with(sentinel: Any) -> None:
    """A build that was killed does nothing more, and neither does what its steps started."""
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)
