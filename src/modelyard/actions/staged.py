"""A model's code as a package will carry it: its folder, with the project's shared code beside it.

A noun that ``train``, ``check`` and builds share.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modelyard.authors.blame import shown
from modelyard.errors import AuthorError, StoreDown
from modelyard.project import Project
from modelyard.storage.scratch import scratch


def shared(project: Project, model: str) -> dict[str, Path]:
    """The project's files that the model imports, by their path beside ``model.py``."""
    from modelyard.training import shared_code

    settings = project.model(model)
    places = project.settings.project.code
    return shared_code(project.root / settings.code, project.root, places=places, include=settings.include)


@contextmanager
def staged(project: Project, model: str) -> Iterator[Path]:
    """A folder to run the model's code from, taken away afterwards; its own where it imports nothing shared.

    What is not found by reading the code is not there, as it would not be in a package. An
    ``AuthorError`` names the project's files.
    """
    folder = project.root / project.model(model).code
    files = shared(project, model)
    if not files:
        yield folder
        return
    with scratch("code-", project.scratch) as held:
        place = held.resolve() / folder.name
        try:
            shutil.copytree(
                folder, place, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*.pyo")
            )
            for name, path in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place / name)
        except OSError as error:
            raise StoreDown(f"The code of {model} cannot be copied to {place}: {error}.") from None
        try:
            yield place
        except AuthorError as error:
            known = {place / name: path for name, path in files.items()} | {place: folder}
            raise renamed(error, known, project.root) from error


def renamed(error: AuthorError, known: Mapping[Path, Path], root: Path) -> AuthorError:
    """The same complaint about the files that the author knows."""
    text = str(error)
    for place, path in known.items():
        for told in (str(place), os.path.relpath(place, root)):
            text = text.replace(told, shown(path))
    renamed = AuthorError(text)
    for note in getattr(error, "__notes__", ()):
        renamed.add_note(note)
    return renamed
