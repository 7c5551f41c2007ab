"""A batch's parts on a Ray cluster: answered at desks on its nodes, kept on this machine."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec
import pyarrow.parquet as pq

from modelyard.actions.scoring import Done, Work, answer, put
from modelyard.data.passage import Part
from modelyard.predictor import verify
from modelyard.predictor.vouch import signatures
from modelyard.training import enduring
from modelyard.training.engine import Lost
from modelyard.training.remote import Cluster
from modelyard.training.seat import Lodger, agree, versions

_READING = ("numpy", "polars", "pyarrow")


class Desk(Lodger):
    """An actor that answers parts with the package that it was sent."""

    def open(self, work: Work, needed: Mapping[str, str]) -> None:
        """Raises ``SettingsError`` naming the first version by name that this node does not have."""
        agree(needed)
        parts = self._place / "parts"
        parts.mkdir()
        self._work = msgspec.structs.replace(work, folder=self._place / work.folder.name, parts=parts)

    def answer(self, part: Part) -> dict[str, bytes]:
        """The files that are to be kept, the one that says that it is done last."""
        answer(self._work, part)
        files = sorted(self._work.parts.iterdir(), key=lambda path: path.suffix == ".json")
        content = {path.name: path.read_bytes() for path in files}
        for path in files:
            path.unlink()
        return content


class Desks:
    """What a lost node was at is answered at another desk; a lost desk is replaced only when it was the last, since
    a new one might wait for the place of one that waits for it."""

    def __init__(self, cluster: Cluster, work: Work, most: int | None) -> None:
        self._cluster, self._work = cluster, work
        self._needed = _needed(work)
        self.many = min(cluster.most, most or cluster.most)
        self._threads = ThreadPoolExecutor(self.many)
        self._turn = threading.Condition()
        self._room, self._taken = self.many, 0
        self._free: list[Any] = []
        self._desks: list[Any] = []

    def __enter__(self) -> Desks:
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.halted = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        for desk in self._desks:
            self._cluster.kill(desk)

    def ask(self, work: Work, part: Part) -> Future[Done]:
        return self._threads.submit(lambda: enduring(lambda: self._answered(work, part), "The scoring"))

    def _answered(self, work: Work, part: Part) -> Done:
        with self._desk() as desk:
            files: dict[str, bytes] = self._cluster.wait(desk.answer.remote(_whole(part, work)))
        for name, content in files.items():
            put(content, work.parts / name)
        return msgspec.json.decode(files[f"{part.number:08}.json"], type=Done)

    @contextmanager
    def _desk(self) -> Iterator[Any]:
        with self._turn:
            while not self._free and self._taken >= self._room:
                self._turn.wait()
            self._taken += 1
            found = self._free.pop() if self._free else None
        try:
            found = found or self._opened()
            yield found
        except Lost:
            found = None
            with self._turn:
                self._room = max(1, self._room - 1)
            raise
        finally:
            with self._turn:
                self._taken -= 1
                if found is not None:
                    self._free.append(found)
                self._turn.notify_all()

    def _opened(self) -> Any:
        desk, folder = self._cluster.actor(Desk), self._work.folder
        self._desks.append(desk)
        for path in (folder, *signatures(folder)):
            self._cluster.wait(desk.take.remote(path.name, self._cluster.sent(path)))
        self._cluster.wait(desk.open.remote(self._work, self._needed))
        return desk


def _whole(part: Part, work: Work) -> Part:
    """With its rows, where it has only their place in a file of this machine."""
    if not isinstance(part.content, int):
        return part
    rows = pq.ParquetFile(part.file.path).read_row_group(part.content, columns=work.wanted)
    return dataclasses.replace(part, content=rows)


def _needed(work: Work) -> dict[str, str]:
    """What a node must have in this machine's version, for the same answers."""
    manifest = verify(work.folder, work.digest)
    own = (
        ("onnxruntime",)
        if manifest.form == "onnx"
        else tuple(r.partition("==")[0] for r in manifest.requirements)
    )
    return versions({name: _version(name) for name in (*_READING, *own)})


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
