"""What every kind of source becomes, and where it stages it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modelyard.data.sources.since import Since


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One file to read; ``origin`` is what messages call it."""

    path: Path
    form: Literal["csv", "parquet"]
    origin: str
    leave: tuple[str, ...] = ()
    """Columns that are not of the rows."""


@dataclass
class Place:
    """The project's folder, the one that staged files are written to, and where rows begin to be wanted."""

    root: Path
    scratch: Path
    since: Since | None = None
    _taken: int = field(default=0, repr=False)

    def new(self, name: str) -> Path:
        """A path in ``scratch`` that no other file has; ``name`` is its end."""
        self._taken += 1
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.scratch / f"{self._taken:05}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[-80:]}"
