"""Processes for code that authors wrote: another interpreter, and only the libraries that are there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_OURS = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def module(python: Path | str, name: str) -> tuple[str, ...]:
    """The words that run a module of what is on the path, and nothing of the working folder or the user's."""
    return (str(python), "-s", "-P", "-m", name)


def surroundings(path: Path | str, given: Mapping[str, str]) -> dict[str, str]:
    """Nothing of this process' own libraries is found there, but what is in ``path``."""
    return {k: v for k, v in given.items() if k not in _OURS} | {"PYTHONPATH": str(path)}


def threads(count: int) -> dict[str, str]:
    """The variables by which libraries of numbers take so many threads."""
    return dict.fromkeys(_THREADS, str(count))
