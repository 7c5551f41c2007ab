"""The project that a call is about, for as long as the call takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from modelyard.project import Project, open_project


@contextlib.contextmanager
def here(folder: str | PathLike[str] | None = None) -> Iterator[Project]:
    """The project at or above ``folder``, by default the working folder, which in a notebook is its own."""
    with contextlib.closing(open_project(None if folder is None else Path(folder))) as project:
        yield project
