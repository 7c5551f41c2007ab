"""How long a training may take and how much memory."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.authors.bounds import GIB

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
