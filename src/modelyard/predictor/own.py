"""A native model in a process of its own: what it does holds up nobody else, and may take only so much."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec

from modelyard import errors
from modelyard.authors import apart
from modelyard.errors import AuthorError, ModelyardError, ServiceDown
from modelyard.predictor.answers import Answers
from modelyard.predictor.desk import Array, Ask, Fault, Given, Open, Ready, receive, send
from modelyard.predictor.verify import checked
from modelyard.records.package import Form, Manifest
from modelyard.records.service import Own
from modelyard.records.trust import Trust
from modelyard.tables.batch import Batch

_OPENING = 120.0
"""Seconds that importing its libraries and loading it may take."""


class Lost(AuthorError):
    """The process ended or had to be ended; what it was asked has no answer. ``late``: it took too long."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class OwnProcess:
    """Answers as a ``Predictor`` does, one batch at a time. It ends with this object."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        digest: str,
        trust: Trust,
        own: Own,
        form: Form | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Begin the process; raises what opening the package raises. ``name`` is what sentences call the model;
        ``tell`` is told when a process ended."""
        self.manifest: Manifest = checked(folder, digest, later=_all)[0]
        self._name, self._own, self._tell = name, own, tell
        if form is not None:
            self.manifest = msgspec.structs.replace(self.manifest, form=form)
        self._wanted = Open(str(folder), digest, trust, own.memory, form)
        self._lock = threading.Lock()
        self._closed = False
        self._held: list[subprocess.Popen[bytes]] = []
        weakref.finalize(self, _end_all, self._held)
        self._begun()

    def predict(self, batch: Batch) -> Answers:
        """``AuthorError`` when the model fails, ``Lost`` when its process ended or took too long."""
        with self._lock:
            process = self._held[-1] if self._held else None
            if process is None or process.poll() is not None:
                process = self._again()
            answer = self._asked(
                process, Ask(Array.of(batch.numbers), Array.of(batch.texts)), self._own.seconds
            )
            if answer is None:
                raise self._lost(process)
        found = msgspec.msgpack.decode(answer, type=Given | Fault)
        if isinstance(found, Fault):
            raise AuthorError(found.message)
        return found.answers()

    def let_go(self) -> None:
        """``close``, without waiting for it."""
        threading.Thread(target=self.close, daemon=True).start()

    def close(self) -> None:
        """End the process, once it has answered what it was asked."""
        with self._lock:
            self._closed = True
            _end_all(self._held)

    def _begun(self) -> subprocess.Popen[bytes]:
        own = self._own
        process = subprocess.Popen(
            command(own, "modelyard.predictor.desk"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ(own) | apart.threads(own.threads),
        )
        _end_all(self._held)
        self._held.append(process)
        answer = self._asked(process, self._wanted, _OPENING)
        found = msgspec.msgpack.decode(answer, type=Ready | Fault) if answer is not None else None
        if isinstance(found, Ready):
            return process
        _end_all(self._held)
        if found is None:
            raise ServiceDown(
                f"The process of {self._name} ended ({_how(process)}) before it had loaded the model; what it "
                "printed says why."
            )
        raise _ours(found)

    def _again(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise Lost(f"{self._name} answers no more: try again.")
        try:
            return self._begun()
        except (ModelyardError, OSError) as error:
            self._tell(f"{self._name} cannot be begun again: {error}")
            raise Lost(f"{self._name} is not there: try again in some seconds.") from None

    def _asked(
        self, process: subprocess.Popen[bytes], message: msgspec.Struct, seconds: float
    ) -> bytes | None:
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(seconds, process.kill)
        late.start()
        try:
            send(process.stdin, message)  # type: ignore[arg-type]
            return receive(process.stdout)  # type: ignore[arg-type]
        except OSError:
            return None
        finally:
            late.cancel()

    def _lost(self, process: subprocess.Popen[bytes]) -> Lost:
        _end_all(self._held)
        how = _how(process)
        self._tell(f"the process of {self._name} ended by {how}; another begins")
        if process.returncode == -signal.SIGKILL:
            return Lost(
                f"{self._name} did not answer within {self._own.seconds:g} s, or was ended.", late=True
            )
        return Lost(f"The process of {self._name} ended by {how}.")


def command(own: Own | None, name: str) -> list[str]:
    """The words that run a module where the model's libraries are."""
    if own is None or own.path is None:
        return [(own and own.python) or sys.executable, "-m", name]
    return list(apart.module(own.python or sys.executable, name))


def environ(own: Own | None) -> dict[str, str]:
    """The variables of such a process."""
    return dict(os.environ) if own is None or own.path is None else apart.surroundings(own.path, os.environ)


def _end_all(held: list[subprocess.Popen[bytes]]) -> None:
    while held:
        # what could not be written any more is given up with the process
        with contextlib.suppress(BrokenPipeError), held.pop() as process:
            process.kill()


def _how(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _ours(fault: Fault) -> ModelyardError:
    """The error that the other process raised."""
    kinds = (k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, ModelyardError))
    kind = next((k for k in kinds if k.code == fault.code), AuthorError)
    return kind(fault.message)


def _all(manifest: Manifest) -> set[str]:
    """Every file is verified where it is loaded."""
    return {file.path for file in manifest.files}
