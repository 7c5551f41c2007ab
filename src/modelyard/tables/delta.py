"""Dataset versions as versions of a Delta table, each readable for ever.

Log clean-up is off and nothing here vacuums; only the project's own ``gc`` may. Delta is committed
before the yard, and a commit carries the content's digest, so that a rerun after a kill in between
adopts the orphan instead of writing it again.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from modelyard.errors import StoreDown, Tampered
from modelyard.records.schema import Column, Schema
from modelyard.tables.digest import digest as content_digest
from modelyard.tables.kinds import convert

DIGEST = "modelyard.digest"

_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
_ATTEMPTS = 8
_ONE_PART = 2**40
"""Bytes; one part a version keeps the rows in order."""


def write(path: Path, frame: pl.DataFrame, schema: Schema, *, digest: str) -> int:
    """Make the frame the table's newest version and return its number.

    When the table already has a version of that digest, and it still reads as it was, its number is
    returned and nothing is written. What is returned survives power loss. Raises ``StoreDown`` when
    the disk fails; the versions before stay as they were.
    """
    ready = pl.DataFrame([convert(frame[c.name], c) for c in _columns(frame.columns, schema)])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            if (found := _find(path, digest, schema)) is None:
                _commit(path, ready, digest)
                found = _find(path, digest, schema)
            if found is not None:
                _sync(path, found)
                return found
    except OSError as error:
        raise StoreDown(
            f"The table {path} cannot be written ({error.strerror or _first_line(error)}); "
            "make room or give access, and run it again."
        ) from None
    raise StoreDown(f"The table {path} keeps changing while a version is written; run it again.")


def read(path: Path, version: int, schema: Schema) -> pl.DataFrame:
    """That version's rows in the order they were written, with the split where it was stored.

    Raises ``StoreDown`` when table or version is not there or cannot be opened, ``Tampered`` naming
    the file when a part is missing, damaged or of another shape.
    """
    try:
        table = DeltaTable(path, version=version)
        parts = [_local(uri) for uri in table.file_uris()]
    except TableNotFoundError:
        raise StoreDown(f"There is no table at {path}; restore it, or ingest again.") from None
    except Exception as error:  # the library raises bare Exceptions for what its own engine reports
        raise StoreDown(
            f"Version {version} of the table {path} cannot be opened: {_first_line(error)}"
        ) from None
    frames = [_part(part) for part in parts]
    whole = pl.concat(frames) if frames else pl.DataFrame({f.name: [] for f in table.schema().fields})
    columns = _columns(whole.columns, schema)
    for column in columns:
        if column.name not in whole.columns:
            raise Tampered(f"Column '{column.name}' is not in version {version} of the table {path}.")
    return pl.DataFrame([convert(whole[c.name], c) for c in columns])


def _columns(names: list[str], schema: Schema) -> list[Column]:
    known = {c.name for c in schema.columns}
    return [*schema.columns, *(Column(name=n, kind="string") for n in names if n not in known)]


def _find(path: Path, digest: str, schema: Schema) -> int | None:
    """The newest version that carries the digest and whose content has it."""
    if not DeltaTable.is_deltatable(str(path)):
        return None
    try:
        history = DeltaTable(path).history()
    except Exception as error:
        raise StoreDown(f"The table {path} cannot be opened: {_first_line(error)}") from None
    for commit in history:
        if commit.get(DIGEST) != digest:
            continue
        try:
            if content_digest(read(path, commit["version"], schema), schema) == digest:
                return int(commit["version"])
        except (StoreDown, Tampered):
            continue  # a damaged orphan is left alone, and the content written again
    return None


def _commit(path: Path, ready: pl.DataFrame, digest: str) -> bool:
    try:
        write_deltalake(
            path,
            ready,
            mode="overwrite",
            schema_mode="overwrite",
            configuration=_CONFIGURATION,
            target_file_size=_ONE_PART,
            commit_properties=CommitProperties(custom_metadata={DIGEST: digest}),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )
    except CommitFailedError:
        return False
    except OSError:
        raise
    except Exception as error:
        raise StoreDown(f"The table {path} cannot be written: {_first_line(error)}") from None
    return True


def _sync(path: Path, version: int) -> None:
    """The library does not fsync; without it a power cut could take what the yard points to."""
    log = path / "_delta_log"
    parts = [_local(uri) for uri in DeltaTable(path, version=version).file_uris()]
    for file in (
        *parts,
        log / f"{version:020}.json",
        *log.glob(f"{version:020}.checkpoint*.parquet"),
        log,
        path,
    ):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _part(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, use_statistics=False)
    except FileNotFoundError:
        raise Tampered(f"{path} is gone; restore the file, or ingest again.") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # A damaged page can make the decoder panic, which is no Exception.
        raise Tampered(
            f"{path} is damaged ({_first_line(error)}); restore the file, or ingest again."
        ) from None


def _local(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path)) if uri.startswith("file://") else Path(uri)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
