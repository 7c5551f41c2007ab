"""``data checkout``: a dataset version's rows as a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from modelyard.actions.stored import dataset_version, rows
from modelyard.errors import Misuse, StoreDown
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion

FORMS = (".csv", ".parquet")


class CheckedOut(msgspec.Struct, frozen=True, kw_only=True):
    version: DatasetVersion
    file: Path
    size: int
    """Bytes."""


def checkout(
    project: Project, ref: str, file: Path, *, split: bool = False, force: bool = False
) -> CheckedOut:
    """Write all rows in the order they were ingested, typed, as CSV or Parquet by the file's ending.

    The content is held against the version's digest first; the file appears whole or not at all.
    Raises ``Misuse`` for another ending, or a file that is there without ``force``.
    """
    form = file.suffix.lower()
    if form not in FORMS:
        raise Misuse(f"{file} ends in neither .csv nor .parquet; name a file of one of these forms.")
    if not file.parent.is_dir():
        raise Misuse(f"There is no folder {file.parent}; make it first.")
    if file.is_dir() or (file.exists() and not force):
        raise Misuse(f"{file} is there already; name another file, or give --force to replace it.")
    version = dataset_version(project, ref)
    project.tell(f"writing {version.ref} to {file}")
    frame = rows(project, version, split=split)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.")
    os.close(handle)
    draft = Path(name)
    try:
        if form == ".csv":
            frame.sink_csv(draft, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
        else:
            frame.sink_parquet(draft)
        draft.chmod(0o666 & ~_umask())
        draft.replace(file)
    except OSError as error:
        raise StoreDown(f"{file} cannot be written: {error.strerror or error}.") from None
    finally:
        draft.unlink(missing_ok=True)
    return CheckedOut(version=version, file=file, size=file.stat().st_size)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
