"""Files brought to the disk while others are still made, so that a commit at the end has little to wait for."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from modelyard.errors import StoreDown
from modelyard.storage.durable import sync

_LEAST = 2**20
"""Bytes; smaller files are on the disk as soon."""


class Flushing:
    """One file at a time, in the order given."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._begun: list[Future[None]] = []

    def begin(self, path: Path, size: int) -> None:
        """The file is whole, and stays until ``wait`` was called or nobody wants it any more."""
        if size >= _LEAST:
            self._begun.append(self._pool.submit(_flush, path))

    def wait(self) -> None:
        """Raises ``StoreDown`` when the disk has refused one."""
        self._pool.shutdown()
        for one in self._begun:
            one.result()


def _flush(path: Path) -> None:
    try:
        sync(path)
    except OSError as error:
        raise StoreDown(
            f"The rows could not be kept in {path.parent} ({error.strerror}); make room and run it again."
        ) from None
