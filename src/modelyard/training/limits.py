"""How long a training may take and how much memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """None is no limit. ``memory`` is in bytes, beyond what the libraries took before."""

    seconds: float | None = None
    memory: int | None = None

    @classmethod
    def of(cls, timeout: str | None, memory_gb: float | None) -> Limits:
        """As the settings write them: ``"2h"`` and gibibytes."""
        seconds = None if timeout is None else float(int(timeout[:-1]) * _SECONDS[timeout[-1]])
        return cls(seconds, None if memory_gb is None else int(memory_gb * GIB))


@contextmanager
def bounded(memory: int | None) -> Iterator[None]:
    """Inside, this process takes so many bytes more than now; beyond, an allocation raises ``MemoryError``."""
    if memory is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _taken() + memory
    resource.setrlimit(
        resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _taken() -> int:
    """Bytes of private memory that this process has asked for."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) * 1024
