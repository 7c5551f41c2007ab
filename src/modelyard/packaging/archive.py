"""A package and its attestations as one file: a zip whose bytes depend on its content alone."""

from __future__ import annotations

import filecmp
import os
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from modelyard.errors import SourceMissing, StoreDown, Tampered
from modelyard.predictor.verify import MANIFEST, decode, plain, verify
from modelyard.records.package import Manifest

ENDING = ".mypkg"
MOST_FILES = 100_000
LARGEST_ATTESTATION = 64 << 20
"""Bytes."""
_CONTENT, _BESIDE = "package/", "attestations/"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


def pack(folder: Path, attestations: Mapping[str, bytes], path: Path) -> None:
    """Write the verified package in ``folder`` with ``attestations`` (by name) to ``path``, whole or not at all.

    Names are sorted, times and permissions fixed, and nothing is compressed, since two releases of zlib compress the
    same bytes differently. Raises ``Tampered`` or ``StoreDown``.
    """
    manifest = verify(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened, name = tempfile.mkstemp(prefix=f".{path.name[:20]}-", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(opened, "wb") as file:
                _write(file, folder, manifest, attestations)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None


def unpack(path: Path, folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Write the package in the file ``path`` into the new ``folder`` and verify it; its attestations by name.

    Only what ``pack`` would have written byte for byte is taken, so nothing is compressed, leads outside, is a link
    or stands there twice, and what is written is no larger than the file. Raises ``Tampered`` naming the entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path)
            attestations = {
                name.removeprefix(_BESIDE): archive.read(entry)
                for name, entry in entries.items()
                if name.startswith(_BESIDE)
            }
            for name, entry in entries.items():
                if name.startswith(_CONTENT):
                    _extract(archive, entry, folder / name.removeprefix(_CONTENT))
    except (FileNotFoundError, IsADirectoryError):
        raise SourceMissing(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise Tampered(f"{path} is damaged or cut short: {error}.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be unpacked into {folder}: {error.strerror or error}.") from None
    manifest = verify(folder)
    _require_canonical(path, folder, manifest, attestations)
    return manifest, attestations


def _entries(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise Tampered(f"{path} holds {len(entries):,} files, more than the {MOST_FILES:,} that are taken.")
    for entry in entries:
        name = entry.orig_filename
        who = f"{path} holds {name!r}, which"
        inside = name.removeprefix(_CONTENT) if name.startswith(_CONTENT) else None
        beside = name.removeprefix(_BESIDE) if name.startswith(_BESIDE) else None
        if inside is None and beside is None:
            raise Tampered(f"{who} is neither a file of the package nor an attestation.")
        if not (inside == MANIFEST or plain(inside or beside or "")) or (beside and "/" in beside):
            raise Tampered(f"{who} is not a plain path inside the package.")
        if not stat.S_ISREG(entry.external_attr >> 16) or entry.is_dir():
            raise Tampered(f"{who} is a link, a folder or a device; a package holds plain files only.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise Tampered(f"{who} is compressed or encrypted; a {ENDING} stores files as they are.")
        if name in found:
            raise Tampered(f"{who} stands in it twice.")
        if beside and entry.file_size > LARGEST_ATTESTATION:
            raise Tampered(f"{who} has {entry.file_size:,} bytes, too many for an attestation.")
        found[name] = entry
    # entries may overlap, which would make a few bytes many
    if sum(entry.file_size for entry in found.values()) > path.stat().st_size:
        raise Tampered(f"{path} says that it holds more than it has room for.")
    _listed(archive, found, path)
    return found


def _listed(archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    """Before anything is written: the manifest is there and lists what is there."""
    if (entry := found.get(_CONTENT + MANIFEST)) is None:
        raise Tampered(f"{path} is no package: it has no {MANIFEST}.")
    if entry.file_size > LARGEST_ATTESTATION:
        raise Tampered(f"{path} holds a {MANIFEST} of {entry.file_size:,} bytes, too many for one.")
    manifest = decode(archive.read(entry), f"{MANIFEST} in {path}")
    listed = {_CONTENT + file.path for file in manifest.files} | {_CONTENT + MANIFEST}
    there = {name for name in found if name.startswith(_CONTENT)}
    for name in sorted(there ^ listed):
        what = "its manifest does not list" if name in there else "its manifest lists and it does not hold"
        raise Tampered(f"{path}: {name.removeprefix(_CONTENT)} is a file that {what}.")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, place.open("xb") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)


def _require_canonical(
    path: Path, folder: Path, manifest: Manifest, attestations: Mapping[str, bytes]
) -> None:
    """What digests do not cover (names, times, gaps between entries) is as ``pack`` writes it."""
    with tempfile.NamedTemporaryFile(prefix=".again-", dir=folder.parent) as again:
        _write(again.file, folder, manifest, attestations)
        again.flush()
        if not filecmp.cmp(path, again.name, shallow=False):
            raise Tampered(
                f"{path} holds a whole package in a form that 'modelyard package' does not write; it was changed."
            )


def _write(file: IO[bytes], folder: Path, manifest: Manifest, attestations: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(attestations):
            archive.writestr(_entry(_BESIDE + name, len(attestations[name])), attestations[name])
        for name, size in sorted([(file.path, file.size) for file in manifest.files] + [(MANIFEST, 0)]):
            source = folder / name
            size = size or source.stat().st_size
            with source.open("rb") as content, archive.open(_entry(_CONTENT + name, size), "w") as target:
                while chunk := content.read(_CHUNK):
                    target.write(chunk)


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix, wherever this runs
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.file_size = size
    return entry
