"""Which files a scan looks at: what git keeps or would keep, or every file where there is no git."""

from __future__ import annotations

import fnmatch
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_ASIDE = {".git", ".venv", "venv", ".modelyard", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache"}
_OURS = {".modelyard.json", "scan.baseline.json"}
"""Written by Modelyard: digests, of which none opens anything."""
LARGEST = 2_000_000
"""Bytes of a text that is looked through for secrets."""


class Files(NamedTuple):
    root: Path
    paths: tuple[str, ...]
    """Relative, with ``/``, sorted."""

    def of(self, *patterns: str) -> Iterator[tuple[str, Path]]:
        """Those whose name fits one of the patterns."""
        for path in self.paths:
            name = path.rpartition("/")[2].lower()
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                yield path, self.root / path


class Committed(NamedTuple):
    """A file as some commit had it, and as the working tree has it no more."""

    path: str
    blob: str
    content: bytes


def listed(root: Path, exclude: Sequence[str] = ()) -> Files:
    """The project's files that a commit would hold."""
    done = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if done is not None:
        found: Iterable[str] = done.decode("utf-8", "surrogateescape").split("\0")
    else:
        found = (p.relative_to(root).as_posix() for p in root.rglob("*"))
    kept = {
        path
        for path in found
        if path
        and path not in _OURS
        and not _ASIDE & set(path.split("/"))
        and not any(fnmatch.fnmatch(path, pattern) for pattern in exclude)
        and (root / path).is_file()
    }
    return Files(root, tuple(sorted(kept)))


def committed(root: Path, exclude: Sequence[str] = ()) -> Iterator[Committed]:
    """Every text of the history that the working tree does not have; nothing where there is no git."""
    named = _git(root, "rev-list", "--objects", "--all")
    here = _git(root, "ls-files", "--stage", "-z")
    if named is None or here is None:
        return
    present = {entry.split()[1] for entry in here.decode("utf-8", "surrogateescape").split("\0") if entry}
    for line in named.decode("utf-8", "surrogateescape").splitlines():
        blob, _, path = line.partition(" ")
        if not path or blob in present or any(fnmatch.fnmatch(path, pattern) for pattern in exclude):
            continue
        size = _git(root, "cat-file", "-s", blob)
        if size is None or int(size) > LARGEST or _git(root, "cat-file", "-t", blob) != b"blob\n":
            continue
        content = _git(root, "cat-file", "blob", blob)
        if content is not None and b"\0" not in content[:8000]:
            yield Committed(path, blob, content)


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
