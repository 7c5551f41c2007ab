"""A model's folder out of a few lines of code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """``folder(model="...", helper="...")`` writes ``model.py``, ``helper.py``, ... and returns the folder."""

    def write(name: str = "m", **files: str) -> Path:
        place = tmp_path / "models" / name
        place.mkdir(parents=True, exist_ok=True)
        for stem, text in files.items():
            (place / f"{stem}.py").write_text(dedent(text))
        return place

    return write
