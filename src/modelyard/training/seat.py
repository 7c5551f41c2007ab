"""What a Ray cluster's node holds of a training: files that were sent, and the ``Worker`` that runs on them.

``training.remote`` makes it, as an actor. Nothing of it needs the yard.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import socket
import tarfile
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import modelyard
from modelyard.errors import SettingsError
from modelyard.storage.scratch import Scratch, left_over, sweep
from modelyard.training.limits import Limits
from modelyard.training.worker import Worker

_PREFIX = "modelyard-seat-"
RUN = "run"
"""The folder that the worker writes into."""


class Lodger:
    """An actor with one folder of the node, which goes with it; one that was killed leaves it to the next."""

    def __init__(self) -> None:
        for folder in left_over(Path(tempfile.gettempdir()), f"{_PREFIX}*"):
            sweep(folder)
        self._folder = Scratch(_PREFIX)
        self._place = self._folder.path

    def take(self, name: str, content: bytes) -> str:
        """Unpack an archive as ``name`` and return where that is."""
        place = self._place / name
        unpack(content, place)
        return str(place)


class Seat(Lodger):
    """Where a worker runs on what was sent."""

    def __init__(self) -> None:
        super().__init__()
        (self._place / RUN).mkdir()
        self._worker: Worker | None = None
        self._at_work = threading.Lock()

    def start(
        self,
        code: str,
        uses: str | None,
        limits: Limits,
        environ: Mapping[str, str],
        needed: Mapping[str, str],
    ) -> str:
        """Start the worker on what was sent as ``code`` and ``uses``; returns the folder of all.

        ``needed`` are versions by name that this node must have. Raises ``SettingsError`` naming the first that differs.
        """
        agree(needed)
        self._worker = Worker(
            self._place / code,
            self._place / RUN,
            cwd=self._place,
            uses=self._place / uses if uses else None,
            limits=limits,
            environ={**os.environ, **environ},
        )
        return str(self._place)

    def ask(self, what: str, *given: Any, **named: Any) -> tuple[Any, bool]:
        """What that method of the worker gives, and whether it takes another job; an error is given back as it is,
        with its notes."""
        worker = self._worker
        assert worker is not None
        with self._at_work:
            try:
                return getattr(worker, what)(*given, **named), True
            except BaseException as error:
                return error, worker.alive

    def give(self, name: str) -> bytes:
        """What lies there, as an archive."""
        return pack(self._place / name)

    def close(self) -> bytes:
        """End the worker, in another thread than ``ask``; returns what it wrote into its folder."""
        if self._worker is not None:
            if self._at_work.locked():
                self._worker.halt()
            with self._at_work:
                self._worker.close()
        content = pack(self._place / RUN)
        self._folder.close()
        return content


def versions(needed: Mapping[str, str]) -> dict[str, str]:
    """What a node must have beside the model's own: the same Python and the same Modelyard."""
    return {**needed, "python": platform.python_version(), "modelyard": modelyard.__version__}


def pack(path: Path) -> bytes:
    """A file or a folder as an archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(path, arcname=".")
    return content.getvalue()


def unpack(content: bytes, path: Path) -> None:
    """A folder, or a file, as ``pack`` took it."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
        if len(members) == 1 and members[0].isfile():
            file = archive.extractfile(members[0])
            path.write_bytes(file.read() if file else b"")
            return
        path.mkdir(parents=True, exist_ok=True)
        archive.extractall(path, filter="data")


def agree(needed: Mapping[str, str]) -> None:
    """Raises ``SettingsError`` naming the first of the versions by name that this node does not have."""
    for name, wanted in needed.items():
        found = _found(name)
        if found != wanted:
            raise SettingsError(
                f"The node {socket.gethostname()} of the Ray cluster has {name} {found or 'nowhere'}, where this machine "
                f"has {wanted}; install the same on every node, since other libraries give other numbers."
            )


def _found(name: str) -> str:
    if name == "python":
        return platform.python_version()
    if name == "modelyard":
        return modelyard.__version__
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
