"""Which files a source names, and what is in them."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from modelyard.errors import DataRefused, SourceMissing, StoreDown
from modelyard.records.dataset import SourceFile


def fingerprint(source: str | tuple[str, ...], root: Path) -> tuple[SourceFile, ...]:
    """Path (relative to ``root`` where it lies below), size in bytes and sha256 of each file.

    Raises ``SourceMissing`` for a file or glob that matches nothing and for a folder, ``DataRefused``
    for a file without read permission, ``StoreDown`` when the disk fails.
    """
    return tuple(_fingerprint(path, root) for path in locate(source, root))


def locate(source: str | tuple[str, ...], root: Path) -> tuple[Path, ...]:
    """The files in the order named, those of one glob sorted, each once.

    In a glob ``**`` stands for folders at any depth; hidden files match no wildcard.
    """
    found: dict[Path, None] = {}
    for pattern in (source,) if isinstance(source, str) else source:
        found.update(dict.fromkeys(_matches(pattern, root)))
    if not found:
        raise SourceMissing("The dataset names no source; set 'source' to a file or a glob.")
    return tuple(found)


def _matches(pattern: str, root: Path) -> list[Path]:
    path = root / pattern
    if path.is_file():
        return [path]
    if path.is_dir():
        raise SourceMissing(
            f"The source '{pattern}' is a folder ({path}); name its files, '{pattern}/*.csv'."
        )
    if not glob.has_magic(pattern):
        if path.exists():
            raise SourceMissing(
                f"The source '{pattern}' ({path}) is no ordinary file; name a CSV or Parquet file."
            )
        raise SourceMissing(f"There is no file '{pattern}' in {root}; put it there or change 'source'.")
    # Path.glob takes no absolute patterns, which a setting may hold.
    places = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
    files = [root / place for place in sorted(places) if (root / place).is_file()]
    if not files:
        raise SourceMissing(f"No file matches '{pattern}' in {root}; put one there or change 'source'.")
    return files


def _fingerprint(path: Path, root: Path) -> SourceFile:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            size = stream.tell()
    except PermissionError:
        raise DataRefused(f"{path} may not be read; give read permission on it.") from None
    except FileNotFoundError:
        raise SourceMissing(f"{path} went away while it was read; run it again.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return SourceFile(path=name.as_posix(), size=size, sha256=digest.hexdigest())
