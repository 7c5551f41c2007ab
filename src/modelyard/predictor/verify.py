"""Holding a package's bytes to its manifest, and the manifest to its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

import msgspec

from modelyard.errors import Tampered, UnknownName
from modelyard.records.package import Manifest, PackagedFile

MANIFEST = "manifest.json"


def digest(folder: Path) -> str:
    """The package's digest: sha256 (hex) of the bytes of ``manifest.json``."""
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def verify(folder: Path, digest: str | None = None) -> Manifest:
    """Check every byte of the package and return its manifest.

    The manifest is held to ``digest`` when that is given, each listed file to its size and sha256, and
    the folder to the list. ``__pycache__`` folders are left aside: nothing is ever loaded from them.

    Raises ``Tampered`` naming the first file that differs, is missing, is not listed or is no plain
    file; ``UnknownName`` when there is no package at all.
    """
    return checked(folder, digest)[0]


def checked(
    folder: Path, digest: str | None = None, *, later: Callable[[Manifest], Collection[str]] = lambda _: ()
) -> tuple[Manifest, str]:
    """As ``verify``, with the digest that the manifest has.

    Files named by ``later`` are held to their size alone: whoever asks for that loads them through ``verified``, which
    hashes what is loaded. Hashing what is large twice takes twice as long.
    """
    content = _manifest_bytes(folder)
    found_digest = hashlib.sha256(content).hexdigest()
    if digest is not None and found_digest != digest:
        raise Tampered(f"{folder / MANIFEST} does not match the package's digest {digest[:12]}.")
    manifest = decode(content, folder / MANIFEST)
    found = _listing(folder)
    listed = {file.path for file in manifest.files}
    for extra in sorted(found - listed - {MANIFEST}):
        raise Tampered(f"{folder / extra} is no part of the package; its manifest does not list it.")
    loaded = later(manifest)
    for file in manifest.files:
        path = folder / file.path
        if file.path not in found:
            raise Tampered(f"{path} is missing from the package.")
        same = path.stat().st_size == file.size  # or it is not read at all
        if not same or (file.path not in loaded and fingerprint(path)[1] != file.sha256):
            raise _changed(path)
    return manifest, found_digest


def verified(folder: Path, manifest: Manifest, path: str) -> bytes:
    """A file's bytes, held to the manifest as they are read; ``Tampered`` when they differ.

    What is loaded is loaded from these: the file may have been written since ``verify`` looked.
    """
    listed = _listed(folder, manifest, path)
    try:
        content = (folder / path).read_bytes()
    except OSError:
        raise Tampered(f"{folder / path} is missing from the package.") from None
    if hashlib.sha256(content).hexdigest() != listed.sha256:
        raise _changed(folder / path)
    return content


def _listed(folder: Path, manifest: Manifest, path: str) -> PackagedFile:
    for file in manifest.files:
        if file.path == path:
            return file
    raise Tampered(f"{folder / path} is missing from the package.")


def _changed(path: Path) -> Tampered:
    return Tampered(f"{path} was changed; it does not match the package's manifest.")


def decode(content: bytes, where: Path | str) -> Manifest:
    """A manifest from its bytes; ``Tampered`` when it is none or names a path outside the package."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Tampered(f"{where} is not a package's manifest: {error}.") from None
    if manifest.format != 1:
        raise Tampered(f"{where} is of format {manifest.format}, which this Modelyard cannot read.")
    for file in manifest.files:
        if not plain(file.path):
            raise Tampered(
                f"{where} lists the path {file.path!r}, which is not a plain path inside the package."
            )
    if len({file.path for file in manifest.files}) != len(manifest.files):
        raise Tampered(f"{where} lists a path twice.")
    return manifest


def plain(path: str) -> bool:
    """Whether a path is relative, normal and stays inside (no ``..``, no backslash, no NUL)."""
    parts = path.split("/")
    return (
        bool(path)
        and "\\" not in path
        and "\x00" not in path
        and path != MANIFEST
        and all(part not in ("", ".", "..") for part in parts)
        and str(PurePosixPath(path)) == path
    )


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        if folder.is_dir():
            raise Tampered(f"{folder / MANIFEST} is missing; the folder is not a whole package.") from None
        raise UnknownName(f"There is no package in {folder}.") from None


def _listing(folder: Path) -> set[str]:
    found: set[str] = set()
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise Tampered(f"{path} is a link; a package holds plain files only.")
            if name in files:
                if not path.is_file():
                    raise Tampered(f"{path} is no plain file.")
                found.add(relative)
    return found


def fingerprint(path: Path) -> tuple[int, str]:
    """Size in bytes and sha256 (hex) of a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, sha256
