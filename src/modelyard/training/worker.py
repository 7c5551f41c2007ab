"""A process that trains: fed with jobs, watched, and ended with everything that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from modelyard import authoring
from modelyard.authors.bounds import GIB
from modelyard.errors import AuthorError, ModelyardError, StoreDown
from modelyard.records.access import TOKEN
from modelyard.records.run import Resources, Scalar
from modelyard.training import messages
from modelyard.training.limits import Limits
from modelyard.training.log import Log, last
from modelyard.training.processes import family, peak, resident
from modelyard.training.trace import ASK, place

T = TypeVar("T")
LOG, RESOURCES = "log.txt", "resources.json"
"""What a worker leaves in its folder."""
ENTRY = (sys.executable, "-P", "-m", "modelyard.actions.trainer")
_NOTE = 2000
"""Characters of what the code printed that an error carries as its note."""
_DOING = {
    "open": "The import of model.py",
    "fit": "'train'",
    "score": "'train'",
    "seal": "The packaging of the trained model",
    "leave": "The saving of the trained model",
    "adopt": "The loading of the trained model",
    "answer": "The answering of the rows",
}
_living: weakref.WeakSet[Worker] = weakref.WeakSet()


class Worker:
    """The process, warm from its first job on. Not for two threads at once.

    ``folder`` gets ``LOG`` (the beginning and the end of what is printed) and, at the end, ``RESOURCES``. ``limits.seconds`` count
    from here, or from the last ``renew``. Each job raises ``AuthorError`` with the author's line when
    the process ends by itself, takes longer or takes more than it may; after that it takes no more jobs. A job
    that only fails leaves it as it was.
    """

    def __init__(
        self,
        code: Path,
        folder: Path,
        *,
        cwd: Path,
        uses: Path | None = None,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        entry: Sequence[str] = ENTRY,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.code, self.folder, self.limits = code.resolve(), folder, limits
        self._cwd = cwd.resolve()
        self._trace = folder / "trace.txt"
        self._log_file = folder / LOG
        self._waiting: list[str] = []
        self._halted = self._ended = False
        self._peak, self._began = 0, time.monotonic()
        self.resources = Resources(cpu_seconds=0, peak_bytes=0, wall_seconds=0)
        try:
            self._log = Log(self._log_file)
        except OSError as error:
            raise StoreDown(f"{folder} cannot be written: {error.strerror}.") from None
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*entry, str(theirs.fileno()), str(self._trace)],
                cwd=cwd,
                env={
                    "PYTHONHASHSEED": "0",
                    **{name: value for name, value in environ.items() if name != TOKEN},
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=self._log.write,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._log.handed_over()
        self._pidfd = os.pidfd_open(self._process.pid)
        self._replies = b""
        _living.add(self)
        self.renew()
        self._send(messages.Open(code=str(self.code), uses=str(uses) if uses else None))

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it takes another job."""
        return not (self._halted or self._ended)

    def renew(self) -> None:
        """Let the time that ``limits`` give begin now, as before a trial."""
        self._due = None if self.limits.seconds is None else time.monotonic() + self.limits.seconds

    def space(self) -> dict[str, authoring.Space]:
        """The model's ``SPACE``; waits until its code is imported. To be called once, first."""
        opened = self._receive(messages.Opened)
        return {name: _space(entry) for name, entry in opened.space.items()}

    def prepare(self) -> None:
        """Let it load what ``seal`` needs while this process has other things to do."""
        self._send(messages.Prepare())

    def begin(self, job: messages.Begin) -> None:
        """Give it the rows."""
        self._ask(job, messages.Nothing)

    def fit(self, params: Mapping[str, Scalar], *, record: Path | None = None) -> messages.Fitted:
        """Train on all rows, try the model and keep it; ``my.log_...`` write into ``record``."""
        job = messages.Fit(
            params=dict(params), memory=self.limits.memory, record=str(record) if record else None
        )
        return self._ask(job, messages.Fitted)

    def score(
        self,
        params: Mapping[str, Scalar],
        *,
        fold: int,
        metric: str,
        forward: bool = False,
        share: float = 1.0,
        record: Path | None = None,
    ) -> messages.Scored:
        """Train on a share of the other folds (``forward``: of those before) and measure the answers for this one."""
        return self._ask(
            messages.Score(
                params=dict(params),
                metric=metric,
                fold=fold,
                learn="before" if forward else "others",
                share=share,
                memory=self.limits.memory,
                record=str(record) if record else None,
            ),
            messages.Scored,
        )

    def seal(self, job: messages.Seal) -> None:
        """Write the fitted model as a package."""
        self._ask(job, messages.Nothing)

    def leave(self, folder: Path) -> messages.Left:
        """Write the fitted model for another process, which is told to ``adopt`` it."""
        return self._ask(messages.Leave(folder=str(folder)), messages.Left)

    def adopt(self, folder: Path, left: messages.Left) -> None:
        """Take the model that another process left as the fitted one."""
        self._ask(messages.Adopt(folder=str(folder), frame=left.frame), messages.Nothing)

    def answer(self, package: Path, rows: Path, file: Path) -> None:
        """Let a package answer the rows, into ``file`` as ``messages.Answer`` says."""
        self._ask(messages.Answer(package=str(package), rows=str(rows), file=str(file)), messages.Nothing)

    def printed(self) -> str:
        """The last of what was printed."""
        return last(self._log_file, _NOTE)

    def halt(self) -> None:
        """End it from another thread; the job at work raises ``KeyboardInterrupt`` in its own."""
        self._halted = True
        self._kill()

    def close(self) -> None:
        """End it and all that it started; ``resources`` says what was used."""
        if self._ended:
            return
        self._ended = True
        _living.discard(self)
        if not self._halted and not self._waiting:
            with contextlib.suppress(OSError):
                self._send(messages.End())
                self._gone(1.0)
        self._kill()
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        self.resources = Resources(
            cpu_seconds=used.ru_utime + used.ru_stime,
            peak_bytes=self._peak,
            wall_seconds=time.monotonic() - self._began,
        )
        os.close(self._pidfd)
        self._socket.close()
        self._log.close()
        with contextlib.suppress(OSError):
            (self.folder / RESOURCES).write_bytes(msgspec.json.encode(self.resources))

    def _send(self, job: messages.Job) -> None:
        name = str(msgspec.to_builtins(job)["do"])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # _receive says why
            self._socket.sendall(msgspec.json.encode(job) + b"\n")
        self._waiting.append(name)

    def _ask(self, job: messages.Job, kind: type[T]) -> T:
        self._send(job)
        while len(self._waiting) > 1:
            self._receive(messages.Nothing)
        return self._receive(kind)

    def _receive(self, kind: type[T]) -> T:
        reply = msgspec.json.decode(self._line(), type=dict[str, Any])
        self._waiting.pop(0)
        self._peak = max(self._peak, peak(self._process.pid))
        if "done" in reply:
            return msgspec.convert(reply["done"], kind)
        raise self._noted(_error(reply["failed"]))

    def _line(self) -> bytes:
        before = resident(self._process.pid)
        with selectors.DefaultSelector() as ready:
            ready.register(self._socket, selectors.EVENT_READ)
            ready.register(self._pidfd, selectors.EVENT_READ)
            while b"\n" not in self._replies:
                found = {key.fileobj for key, _ in ready.select(self._pause())}
                if self._socket in found and (piece := self._heard()):
                    self._replies += piece
                elif found:
                    raise self._noted(self._death())
                self._watch(before)
        line, _, self._replies = self._replies.partition(b"\n")
        return line

    def _heard(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def _pause(self) -> float:
        """Until the next look at what it uses."""
        pause = 0.05 if self.limits.memory else 0.5
        return pause if self._due is None else max(0.0, min(pause, self._due - time.monotonic()))

    def _watch(self, before: int) -> None:
        pid = self._process.pid
        self._peak = max(self._peak, peak(pid))
        doing = self._doing()
        if self._due is not None and time.monotonic() >= self._due:
            at = self._locate()
            raise self._noted(
                AuthorError(
                    f"{doing} did not end within the {self.limits.seconds:g} seconds that the settings give it as "
                    f"'timeout', and was stopped{at}."
                )
            )
        if (most := self.limits.memory) and self._waiting[0] in ("fit", "score"):
            taken = sum(resident(one) for one in family(pid)) - before
            if taken > most:
                at = self._locate()
                raise self._noted(
                    AuthorError(
                        f"{doing} and the processes that it started took {taken / GIB:.2f} GiB, more than "
                        f"memory_gb = {most / GIB:g}, and were stopped{at}."
                    )
                )

    def _place(self) -> str:
        return place(self._trace, self.code).replace(f"{self._cwd}{os.sep}", "")

    def _doing(self) -> str:
        return _DOING.get(self._waiting[0], "The training") if self._waiting else "The training"

    def _locate(self) -> str:
        """Ask where it is, then end it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, ASK)
        for _ in range(20):
            if at := self._place():
                break
            if self._gone(0.025):
                break
        self._halted = True
        self._kill()
        return at

    def _death(self) -> BaseException:
        """What to say of a process that ended amid a job."""
        if self._halted:
            return KeyboardInterrupt()
        if not self._gone(2.0):
            self._kill()
        self._halted = True
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        status = ended.si_status if ended else 0
        killed = ended is not None and ended.si_code != os.CLD_EXITED
        at, doing = self._place(), self._doing()
        if not killed:
            return AuthorError(
                f"{doing} ended its process with exit code {status}{at}; a model's code returns or raises."
            )
        name = signal.Signals(status).name
        if status == signal.SIGKILL:
            return AuthorError(
                f"{doing} was killed from outside (SIGKILL) when its process had taken {self._peak / GIB:.2f} GiB, "
                f"as a system does that runs out of memory{at}; give it less data or a machine with more memory."
            )
        return AuthorError(
            f"{doing} crashed with {name}{at}; it is a library's native code that fails there."
        )

    def _noted(self, error: BaseException) -> BaseException:
        if self._halted:
            self._kill()
            self._log.close()
        self._log.settle()
        if isinstance(error, AuthorError) and (printed := self.printed().strip()):
            error.add_note(f"The code printed last:\n{printed}")
        return error

    def _gone(self, wait: float) -> bool:
        with selectors.DefaultSelector() as ready:
            ready.register(self._pidfd, selectors.EVENT_READ)
            return bool(ready.select(wait))

    def _kill(self) -> None:
        """The whole group; its number is not given anew while the process is not waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def halt() -> None:
    """End every training of this process, as at Ctrl-C; each raises ``KeyboardInterrupt`` in its thread."""
    for worker in list(_living):
        worker.halt()


def _space(entry: dict[str, Any]) -> authoring.Space:
    kind = {"Uniform": authoring.Uniform, "Integer": authoring.Integer, "Choice": authoring.Choice}[
        entry.pop("type")
    ]
    made: authoring.Space = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})
    return made


def _error(failed: dict[str, str]) -> BaseException:
    known = {kind.code: kind for kind in _leaves(ModelyardError)}
    if kind := known.get(failed["code"]):
        return kind(failed["message"])
    error = RuntimeError(failed["message"])
    error.add_note(failed.get("trace", ""))
    return error


def _leaves(kind: type[ModelyardError]) -> list[type[ModelyardError]]:
    return [kind, *(leaf for below in kind.__subclasses__() for leaf in _leaves(below))]
