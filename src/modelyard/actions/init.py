"""``init``: a new project that builds and passes its tests at once."""

from __future__ import annotations

from pathlib import Path

from modelyard.scaffold import create


def init(folder: Path, *, name: str, template: str, ports: tuple[int, int, int]) -> list[Path]:
    """Write the project and return its files; nothing half-written stays after an error."""
    return create(folder, name=name, template=template, ports=ports)
