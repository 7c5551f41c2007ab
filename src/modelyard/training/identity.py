"""Which code a model is: a digest of its folder, and what git says about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from modelyard.errors import AuthorError
from modelyard.records.run import Code
from modelyard.training.history import git

NOTHING: Mapping[str, Path] = MappingProxyType({})


def identify(folder: Path, root: Path, shared: Mapping[str, Path] = NOTHING) -> Code:
    """The identity of the code in ``folder``, a part of the project at ``root``, with the ``shared`` it imports.

    The digest covers paths and content, sorted. Without git, outside a repository or in a folder that git
    ignores, there is no commit. Raises ``AuthorError`` when the folder is missing or cannot be read.
    """
    whole = hashlib.sha256()
    for name, content in contents(folder, shared).items():
        whole.update(f"{content} {name}\0".encode("utf-8", "surrogateescape"))
    commit, dirty = _git_state(folder, root, shared)
    return Code(digest=whole.hexdigest(), commit=commit, dirty=dirty)


def contents(folder: Path, shared: Mapping[str, Path] = NOTHING) -> dict[str, str]:
    """The sha256 of each file by its path in ``folder``, then those of ``shared`` by theirs.

    ``__pycache__``, compiled and hidden files are no part of it.
    """
    if not folder.is_dir():
        raise AuthorError(f"There is no folder {folder}; put the model's model.py there.")
    try:
        found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in (found | dict(shared)).items()
        }
    except OSError as error:
        raise AuthorError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _files(folder: Path) -> Iterator[Path]:
    found = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        found += [
            Path(parent, n) for n in names if not n.startswith(".") and not n.endswith((".pyc", ".pyo"))
        ]
    files = (path for path in found if path.is_file())  # opening a pipe would wait for its writer
    return iter(sorted(files, key=lambda path: path.relative_to(folder).as_posix()))


def _refuse(error: OSError) -> None:
    raise error


def _git_state(folder: Path, root: Path, shared: Mapping[str, Path]) -> tuple[str | None, bool]:
    """Dirty are changes of what the model is made of: its folder, what it imports, the settings. The rows' own
    files are on the dataset version's record, and an ingest writes one of them."""
    if git(root, "check-ignore", "--quiet", "--", str(folder.resolve())) is not None:
        return None, False
    parts = [folder, root / "modelyard.toml", *shared.values()]
    within = [
        f":(literal){os.path.relpath(part.resolve(), root.resolve())}"
        for part in parts
        if _inside(part, root)
    ]
    status = git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", *within)
    if status is None:
        return None, False
    lines = status.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "(initial)")
    dirty = any(not line.startswith("#") for line in lines)
    return (None if commit == "(initial)" else commit), dirty


def _inside(part: Path, root: Path) -> bool:
    return part.resolve().is_relative_to(root.resolve())
