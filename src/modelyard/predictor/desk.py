"""``python -m modelyard.predictor.desk``: one native model in a process of its own, asked over pipes.

Each message is MessagePack with its length before it. The first one says which package; the answer to it is ``Ready`` or
why not. It ends with its standard input, and with the process that began it.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.authors.bounds import bounded
from modelyard.errors import ModelyardError
from modelyard.predictor.answers import Answers
from modelyard.predictor.open import open_package
from modelyard.records.package import Form
from modelyard.records.trust import Trust
from modelyard.tables.batch import Batch

LENGTH = struct.Struct("<Q")
_WATCH = 1.0


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Which package to answer with, and within how many bytes."""

    folder: str
    digest: str
    trust: Trust
    memory: int | None
    form: Form | None = None


class Array(msgspec.Struct, frozen=True):
    """An array; of objects as a list, of others as bytes."""

    dtype: str
    shape: tuple[int, ...]
    content: Any

    @classmethod
    def of(cls, values: NDArray[Any]) -> Array:
        plain = values.dtype == object
        return cls(str(values.dtype), values.shape, values.ravel().tolist() if plain else values.tobytes())

    def array(self) -> NDArray[Any]:
        if self.dtype != "object":
            return np.frombuffer(self.content, self.dtype).reshape(self.shape)
        flat = np.empty(len(self.content), dtype=object)
        flat[:] = self.content
        return flat.reshape(self.shape)


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    numbers: Array
    texts: Array


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    pass


class Given(msgspec.Struct, frozen=True, tag="given"):
    """The parts of ``Answers`` that are there."""

    parts: dict[str, Array]

    def answers(self) -> Answers:
        return Answers(**{name: part.array() for name, part in self.parts.items()})


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """``code`` is that of the error, where it is one of ours."""

    code: str
    message: str


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a model prints is no answer
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
    content = receive(source)
    if content is None:
        return
    wanted = msgspec.msgpack.decode(content, type=Open)
    try:
        predictor = open_package(
            Path(wanted.folder), digest=wanted.digest, trust=wanted.trust, form=wanted.form
        )
    except Exception as error:
        send(sink, _fault(error))
        return
    send(sink, Ready())
    with bounded(wanted.memory):
        while (content := receive(source)) is not None:
            ask = msgspec.msgpack.decode(content, type=Ask)
            try:
                given = predictor.predict(Batch(ask.numbers.array(), ask.texts.array()))
                parts = {field.name: getattr(given, field.name) for field in fields(given)}
                answer: Given | Fault = Given({n: Array.of(p) for n, p in parts.items() if p is not None})
            except Exception as error:
                answer = _fault(error)
            send(sink, answer)


def send(sink: BinaryIO, message: msgspec.Struct) -> None:
    content = msgspec.msgpack.encode(message)
    sink.write(LENGTH.pack(len(content)) + content)
    sink.flush()


def receive(source: BinaryIO) -> bytes | None:
    """The next message; None at the end, also in the middle of one."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    content = source.read(size)
    return content if len(content) == size else None


def _fault(error: Exception) -> Fault:
    if isinstance(error, ModelyardError):
        return Fault(error.code, str(error))
    said = "it ran out of the memory that it may take" if isinstance(error, MemoryError) else str(error)
    return Fault("", f"The model raised {type(error).__name__}: {said}")


def _follow(parent: int) -> None:
    """A worker that was killed cannot say so."""
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(1)


if __name__ == "__main__":
    main()
