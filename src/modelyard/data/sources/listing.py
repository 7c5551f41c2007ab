"""What the setting ``source`` means: a list of sources, each of one kind."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from modelyard.errors import SettingsError, SourceMissing
from modelyard.settings import SourceSettings
from modelyard.settings.addresses import public

Setting = str | SourceSettings | tuple[str | SourceSettings, ...]
Kind = Literal["files", "delta", "python", "http", "objects", "database"]

SCHEMA = ".schema.toml"
"""How schema files end, which lie beside the rows."""

_OBJECTS = ("s3", "gs", "az")
_DATABASES = ("postgresql", "postgres", "sqlite", "mysql", "mariadb", "mssql")
_READING = ("format", "separator", "encoding", "quotes", "sheet", "version")


def listed(source: Setting) -> tuple[SourceSettings, ...]:
    """The sources in the order named, each in its long form."""
    every = source if isinstance(source, tuple) else (source,)
    found = tuple(_long(one) if isinstance(one, str) else one for one in every)
    if not found:
        raise SourceMissing("The dataset names no source; set 'source' to a file or a glob.")
    return found


def kind(source: SourceSettings, root: Path) -> Kind:
    """Raises ``SettingsError`` for an address of a scheme that is none of ours."""
    if source.python is not None:
        return "python"
    if source.delta is not None or (source.path is not None and (root / source.path / "_delta_log").is_dir()):
        return "delta"
    if source.url is None:
        return "files"
    scheme = scheme_of(source.url)
    if source.query is not None and scheme in ("http", "https", *_OBJECTS):
        raise SettingsError(f"'query' is for databases, not for '{public(source.url)}'; leave it out.")
    if scheme in ("http", "https"):
        return "http"
    if scheme in _OBJECTS:
        return "objects"
    if scheme in _DATABASES or source.query is not None:
        if source.query is None:
            raise SettingsError(
                f"The database '{public(source.url)}' needs a query: "
                "source = { url = ..., query = 'SELECT ...' }."
            )
        return "database"
    known = ", ".join(f"{s}://" for s in ("http", "https", *_OBJECTS, *_DATABASES))
    raise SettingsError(f"The address '{public(source.url)}' is of no known kind; known: {known}.")


def scheme_of(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def name_of(source: SourceSettings) -> str:
    """What messages call the source, free of credentials."""
    return source.path or source.delta or source.python or public(source.url or "")


def reading(source: SourceSettings, query: str) -> str:
    """A digest of what changes the rows read of unchanged bytes; empty when nothing is set."""
    plain = SourceSettings(path="-")
    said = {n: getattr(source, n) for n in _READING if getattr(source, n) != getattr(plain, n)}
    said |= {"query": query} if query else {}
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16] if said else ""


def files(source: SourceSettings, root: Path) -> list[Path]:
    """The files of a path, a glob or a folder; those of one glob or folder sorted.

    In a glob ``**`` stands for folders at any depth; hidden files match no wildcard and count in no folder,
    nor do schema files, which hold no rows.
    """
    return [Path(name) for name in names(source, root)]


def names(source: SourceSettings, root: Path) -> list[str]:
    """``files`` as texts, which of many files take less time."""
    pattern = source.path or ""
    path = root / pattern
    if path.is_file():
        return [str(path)]
    if path.is_dir():
        return _folder(pattern, path)
    if not glob.has_magic(pattern):
        if path.exists():
            raise SourceMissing(f"The source '{pattern}' ({path}) is no ordinary file; name a file of rows.")
        raise SourceMissing(f"There is no file '{pattern}' in {root}; put it there or change 'source'.")
    # Path.glob takes no absolute patterns, which a setting may hold.
    places = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
    found = [str(root / p) for p in sorted(places) if (root / p).is_file() and not p.endswith(SCHEMA)]
    if not found:
        raise SourceMissing(f"No file matches '{pattern}' in {root}; put one there or change 'source'.")
    return found


def below(path: Path, root: Path) -> str:
    """The path relative to ``root`` when it is below it."""
    whole, begin = path.as_posix(), f"{root.as_posix()}/"
    return whole.removeprefix(begin)


def like(pattern: str) -> re.Pattern[str]:
    """The keys of objects that a glob means; ``**/`` stands for any depth, ``*`` stops at a slash."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern)
    return re.compile("".join(parts.get(word) or re.escape(word) for word in words) + r"\Z", re.DOTALL)


def _long(source: str) -> SourceSettings:
    if "://" in source or re.fullmatch(r"\$\{[^}]*\}", source):
        return SourceSettings(url=source)
    return SourceSettings(path=source)


def _folder(pattern: str, folder: Path) -> list[str]:
    # In the order of paths, by their parts.
    found = sorted(_inside(str(folder)), key=lambda name: name.split("/"))
    if not found:
        raise SourceMissing(f"The folder '{pattern}' ({folder}) holds no files; put some there.")
    return found


def _inside(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            # ``_SUCCESS`` and the like are what other tools leave beside their rows.
            if entry.name.startswith((".", "_")) or entry.name.endswith(SCHEMA):
                continue
            if entry.is_dir():
                yield from _inside(entry.path)
            elif entry.is_file():
                yield entry.path
