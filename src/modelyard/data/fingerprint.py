"""Which files and addresses a source names, and what is in them, as cheaply as that can be told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from modelyard.data.sources import database, delta, listing, objects
from modelyard.data.stamps import Heard, Stamps, stamp
from modelyard.errors import DataRefused, SourceMissing, StoreDown
from modelyard.records.dataset import SourceFile
from modelyard.settings import SourceSettings

Told = Mapping[Path, Heard]
"""Of files that were read to their end."""


def fingerprint(
    source: listing.Setting, root: Path, told: Told = MappingProxyType({})
) -> tuple[SourceFile, ...] | None:
    """What each file holds, without reading a row; None where only reading can tell.

    Local files (a SQLite database's too) by size and sha256, objects and web addresses by ETag, a
    Delta table by its version; a database server and a function tell nothing. A setting that reads
    unchanged bytes otherwise counts as a change. Files that are ``told``, or lie untouched since they were read
    last, are not read again. Raises ``SourceMissing`` for what is not there, ``DataRefused`` for what may not be
    read, ``StoreDown`` when the disk fails and ``SourceDown`` when a server does.
    """
    found: dict[SourceFile, None] = {}
    stamps = Stamps(root)
    for path, heard in told.items():
        stamps.hear(path, heard)
    for one in listing.listed(source):
        known = _fingerprint(one, root, told, stamps)
        if known is None:
            return None
        how = listing.reading(one, "" if one.query is None else database.query_of(one, root))
        found |= dict.fromkeys(_read_so(file, how) if how else file for file in known)
    stamps.keep()
    return tuple(found)


def locate(source: listing.Setting, root: Path) -> tuple[str, ...]:
    """The paths of the local files in the order named, those of one glob or folder sorted, each once."""
    found: dict[str, None] = {}
    for one in listing.listed(source):
        if listing.kind(one, root) == "files":
            found |= dict.fromkeys(listing.names(one, root))
    return tuple(found)


def _fingerprint(
    source: SourceSettings, root: Path, told: Told, stamps: Stamps
) -> tuple[SourceFile, ...] | None:
    kind = listing.kind(source, root)
    if kind == "files":
        return tuple(_file(path, root, told, stamps) for path in listing.files(source, root))
    if kind == "delta":
        return (delta.fingerprint(source, root),)
    if kind == "objects":
        return objects.fingerprint(source, root)
    if kind == "http":
        from modelyard.data.sources import http  # the web's modules cost more than most fingerprints

        page = http.fingerprint(source, root)
        return None if page is None else (page,)
    if kind == "database":
        return tuple(_file(path, root, told, stamps) for path in database.sqlite_files(source, root)) or None
    return None


def _read_so(file: SourceFile, how: str) -> SourceFile:
    return msgspec.structs.replace(file, mark=f"{file.mark} read as {how}".strip())


def _file(path: Path, root: Path, told: Told, stamps: Stamps) -> SourceFile:
    heard = told.get(path) or stamps.known(path)
    if heard is None:
        heard = _read(path)
        stamps.hear(path, heard)
    return SourceFile(path=listing.below(path, root), size=heard.size, sha256=heard.sha256)


def _read(path: Path) -> Heard:
    before = stamp(path)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            if before is None:
                raise FileNotFoundError
            return Heard(stream.tell(), digest.hexdigest(), before)
    except PermissionError:
        raise DataRefused(f"{path} may not be read; give read permission on it.") from None
    except FileNotFoundError:
        raise SourceMissing(f"{path} went away while it was read; run it again.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None
