"""Arrow and Parquet bodies read in a process of their own.

Their libraries trust a file more than a service may: damaged ones have ended the process that read them. Here that
is another, which may have so much memory and time and no more, and is started again.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from modelyard.wire.columnar import Read, Refused, Wanted
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Values

_SECONDS = 20.0
_PENDING = 32
_LENGTH = struct.Struct("<Q")

Columns = Mapping[str, Values]


class Apart:
    """One such process of a worker, begun at the first body."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tables")
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = 0

    def read(self, wanted: Wanted, then: Callable[[Columns | Problem], None]) -> None:
        """Read a body; ``then`` is told in the loop. ``Problem`` 429 when too many wait already."""
        if self._pending >= _PENDING:
            raise Problem(
                429,
                f"{self._pending} tables wait to be read already: try again.",
                headers=b"retry-after: 1\r\n",
            )
        self._pending += 1

        def tell(found: Columns | Problem) -> None:
            self._pending -= 1
            then(found)

        def work() -> None:
            try:
                found: Columns | Problem = self._read(wanted)
            except Problem as problem:
                found = problem
            except Exception as error:
                found = Problem(500, f"The table could not be read: {type(error).__name__}: {error}")
            self._loop.call_soon_threadsafe(tell, found)

        self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass

    def _read(self, wanted: Wanted) -> Columns:
        content = msgspec.msgpack.encode(wanted)
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "modelyard.wire.columnar"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(_SECONDS, process.kill)
        late.start()
        answer = b""
        try:
            process.stdin.write(_LENGTH.pack(len(content)) + content)
            process.stdin.flush()
            head = process.stdout.read(_LENGTH.size)
            if len(head) == _LENGTH.size:
                answer = process.stdout.read(*_LENGTH.unpack(head))
        except OSError:
            answer = b""
        finally:
            late.cancel()
        if not answer:
            self._end()
            raise Problem(400, f"The body is no table of {wanted.kind} that can be read in bounds.")
        found = msgspec.msgpack.decode(answer, type=Read | Refused)
        if isinstance(found, Refused):
            raise Problem(found.status, found.message, field=found.field)
        return {
            name: np.frombuffer(column, found.types[name]) if isinstance(column, bytes) else column
            for name, column in found.columns.items()
        }
