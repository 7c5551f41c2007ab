"""Where the rows of a table came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where rows came from: ``files`` are (origin, rows) in order."""

    files: tuple[tuple[str, int], ...]

    def of(self, row: int) -> str:
        """``file, row n`` of a row counted from 1 over all files."""
        for origin, rows in self.files:
            if row <= rows:
                return f"{origin}, row {row}"
            row -= rows
        raise IndexError(row)
