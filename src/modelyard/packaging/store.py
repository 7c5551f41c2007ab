"""Packages in the artifact store: every file a blob, the manifest last."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from modelyard.errors import StoreDown, Tampered, UnknownName
from modelyard.ports import ArtifactStore
from modelyard.predictor.verify import MANIFEST, decode, verify

_LEFT = 3600.0
"""Seconds."""


def store(folder: Path, artifacts: ArtifactStore) -> str:
    """Put a sealed package into the store and return its digest, the one of its manifest's blob.

    The manifest goes last: while it is absent there is no package. Raises ``Tampered`` or
    ``StoreDown``; a repeat is harmless.
    """
    manifest = verify(folder)
    for file in manifest.files:
        if artifacts.put_file(folder / file.path) != file.sha256:
            raise Tampered(f"{folder / file.path} was changed while it was stored.")
    return artifacts.put((folder / MANIFEST).read_bytes())


def fetch(digest: str, artifacts: ArtifactStore, folder: Path) -> Path:
    """The package of that digest as ``folder``, verified; what is there and whole is used again.

    The folder appears at once and whole, whoever else fetches it and whenever a fetch is killed. A
    folder that is damaged is replaced. Raises ``UnknownName`` when the store has no such package,
    ``Tampered`` when a blob does not match, ``StoreDown`` when the disk fails.
    """
    try:
        verify(folder, digest)
        return folder
    except (Tampered, UnknownName):
        pass
    manifest = decode(artifacts.get(digest), f"The manifest of package {digest[:12]}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name[:20]}-", dir=folder.parent))
    except OSError as error:
        raise StoreDown(f"{folder.parent} cannot be written: {error.strerror}.") from error
    try:
        made = scratch / "package"
        for file in manifest.files:
            (made / file.path).parent.mkdir(parents=True, exist_ok=True)
            artifacts.fetch(file.sha256, made / file.path)
        made.mkdir(exist_ok=True)
        artifacts.fetch(digest, made / MANIFEST)
        verify(made, digest)
        _settle(made, folder, digest)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _settle(made: Path, folder: Path, digest: str) -> None:
    """Rename into place; another fetch may have been first, and what it left may be damaged."""
    for _ in range(10):
        try:
            made.rename(folder)
            _sync(folder.parent)
            return
        except OSError:
            if not folder.exists() and not folder.is_symlink():
                raise
        try:
            verify(folder, digest)
            return
        except (Tampered, UnknownName):
            with contextlib.suppress(FileNotFoundError):
                folder.rename(made.with_name(f"damaged-{os.urandom(4).hex()}"))
    raise StoreDown(f"{folder} is being written by something else; try again.")


def _sweep(folder: Path) -> None:
    """Take away what a killed fetch left an hour ago or longer."""
    for left in folder.parent.glob(f".{folder.name[:20]}-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LEFT:
                shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
