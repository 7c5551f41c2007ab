"""From a source to local files that are read the same way, wherever they came from."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelyard.data.definition import definition
from modelyard.data.fingerprint import Told, fingerprint
from modelyard.data.sources import database, delta, http, listing, local, objects, python
from modelyard.data.sources.since import Since
from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import DataRefused, StoreDown
from modelyard.records.dataset import SourceFile
from modelyard.settings import DataSettings, SourceSettings

__all__ = ["Staged", "all_recorded", "recorded", "stage"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def stage(
    source: listing.Setting, root: Path, scratch: Path, *, since: Since | None = None
) -> tuple[Staged, ...]:
    """The source's rows as local CSV (UTF-8, commas) and Parquet files, in the order of the sources.

    Local CSV and Parquet files are named in place, all else is streamed into ``scratch``, which need
    not be there; on any error it is removed. Databases and functions are asked for rows from ``since`` on, all
    others give all. Raises ``SourceMissing``, ``SettingsError``,
    ``ExtraMissing``, ``AuthorError``, ``DataRefused``, ``SourceDown``, or ``StoreDown`` for a full disk;
    no message holds credentials.
    """
    place = Place(root, scratch, since)
    name = "source"
    staged: dict[Path, Staged] = {}
    try:
        for one in listing.listed(source):
            name = listing.name_of(one)
            for found in _stage(one, place):
                staged.setdefault(found.path, found)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise _disk(error, name, scratch) from None
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return tuple(staged.values())


def recorded(
    source: listing.Setting, root: Path, staged: tuple[Staged, ...], told: Told
) -> tuple[SourceFile, ...]:
    """What a dataset version says that it was made of: the fingerprint, or where a source has none
    without being read, its staged files by origin, size and sha256. Call it while they are there."""
    found: list[SourceFile] = []
    for one in listing.listed(source):
        known = fingerprint(one, root, told)
        if known is None:
            name = listing.name_of(one)
            known = tuple(_staged_file(s) for s in staged if s.origin.startswith(name))
        found += known
    return tuple(dict.fromkeys(found))


def all_recorded(
    settings: DataSettings, root: Path, staged: Mapping[str, tuple[Staged, ...]], told: Told
) -> tuple[SourceFile, ...]:
    """``recorded`` of every source, and the transform's definition after them."""
    found = [
        file for name, one in settings.inputs.items() for file in recorded(one, root, staged[name], told)
    ]
    return (*dict.fromkeys(found), *definition(settings, root))


def _stage(source: SourceSettings, place: Place) -> Iterator[Staged]:
    kind = listing.kind(source, place.root)
    if kind == "files":
        for path in listing.files(source, place.root):
            yield local.stage(path, str(path), source, place)
    elif kind == "delta":
        yield delta.stage(source, place)
    elif kind == "python":
        yield from python.stage(source.python or "", place)
    elif kind == "database":
        yield from database.stage(source, place)
    elif kind == "http":
        path, origin, _ = http.fetch(source, place)
        yield _fetched(path, origin, source, place)
    else:
        for path, origin in objects.fetch(source, place):
            yield _fetched(path, origin, source, place)


def _fetched(path: Path, origin: str, source: SourceSettings, place: Place) -> Staged:
    staged = local.stage(path, origin, source, place)
    if staged.path != path:
        path.unlink()
    return staged


def _staged_file(staged: Staged) -> SourceFile:
    with staged.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(path=staged.origin, size=staged.path.stat().st_size, sha256=digest)


def _disk(error: OSError, name: str, scratch: Path) -> DataRefused | StoreDown:
    if isinstance(error, PermissionError):
        return DataRefused(f"{error.filename or name} may not be read; give read permission on it.")
    if error.errno in _FULL:
        return StoreDown(f"{name}: the disk under {scratch} is full; make room and run it again.")
    return StoreDown(f"{name} cannot be staged: {error.strerror or error}.")
