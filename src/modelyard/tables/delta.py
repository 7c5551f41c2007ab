"""Dataset versions as versions of a Delta table, each readable for ever.

Log clean-up is off and nothing here vacuums; only the project's own ``gc`` may. A version is one Parquet
part whose name ends in its sha256, so that damage is found before a decoder meets it. Delta is committed
before the yard, and a commit carries the content's digest, so that a rerun after a kill in between
adopts the orphan instead of writing it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from modelyard.errors import StoreDown, Tampered
from modelyard.records.schema import Column, Schema
from modelyard.tables.kinds import convert

DIGEST = "modelyard.digest"

_CONFIGURATION: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
_ATTEMPTS = 8


def write(path: Path, frame: pl.DataFrame, schema: Schema, *, digest: str) -> int:
    """Make the frame the table's newest version and return its number.

    When the table already has an undamaged version of that digest its number is returned and nothing
    is written. What is returned survives power loss. Raises ``StoreDown`` when the disk fails; the versions
    before stay as they were.
    """
    ready = pl.DataFrame([convert(frame[c.name], c) for c in _columns(frame.columns, schema)])
    try:
        for _ in range(_ATTEMPTS):
            found = _find(path, digest)
            if found is None:
                part = _place(path, ready, digest)
                # The new part mends a damaged version of that digest; only else it is a new one.
                found = _find(path, digest)
                if found is None and not _commit(path, part, ready, digest):
                    continue  # another process committed first: look again
            if found is None and (found := _find(path, digest)) is None:
                raise StoreDown(f"The table {path} does not read back as it was written; check the disk.")
            _sync(path, found)
            return found
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreDown(
            f"The table {path} cannot be written ({getattr(error, 'strerror', None) or _first_line(error)}); "
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


def _find(path: Path, digest: str) -> int | None:
    """The newest version that carries the digest and whose parts are whole."""
    if not DeltaTable.is_deltatable(str(path)):
        return None
    try:
        history = DeltaTable(path).history()
        for commit in history:
            if commit.get(DIGEST) == digest:
                version = int(commit["version"])
                parts = DeltaTable(path, version=version).file_uris()
                if all(_is_whole(_local(uri)) for uri in parts):
                    return version
    except Exception as error:  # the library raises bare Exceptions for what its own engine reports
        raise StoreDown(f"The table {path} cannot be opened: {_first_line(error)}") from None
    return None


def _place(path: Path, ready: pl.DataFrame, digest: str) -> Path:
    """Write the part durably under its name: the digest's head, for whom it is, and its own sha256."""
    path.mkdir(parents=True, exist_ok=True)
    draft = path / f".{uuid.uuid4().hex}.tmp"
    try:
        with draft.open("wb") as stream:
            ready.write_parquet(stream)
            stream.flush()
            os.fsync(stream.fileno())
        part = path / f"{digest[:16]}-{_sha256(draft)}.parquet"
        draft.replace(part)
    finally:
        draft.unlink(missing_ok=True)
    return part


def _commit(path: Path, part: Path, ready: pl.DataFrame, digest: str) -> bool:
    """False when another process was first."""
    stats = part.stat()
    add = AddAction(
        part.name,
        stats.st_size,
        {},
        stats.st_mtime_ns // 10**6,
        True,
        json.dumps({"numRecords": ready.height}),
    )
    fields = DeltaSchema.from_arrow(ready.clear().to_arrow().schema)
    label = CommitProperties(custom_metadata={DIGEST: digest})
    keep = PostCommitHookProperties(cleanup_expired_logs=False)
    new = not DeltaTable.is_deltatable(str(path))
    try:
        if new:
            create_table_with_add_actions(
                str(path),
                fields,
                [add],
                configuration=_CONFIGURATION,
                commit_properties=label,
                post_commithook_properties=keep,
            )
        else:
            DeltaTable(path).create_write_transaction(
                [add], "overwrite", fields, [], commit_properties=label, post_commithook_properties=keep
            )
    except CommitFailedError:
        return False
    except OSError:
        raise
    except Exception as error:
        if new and DeltaTable.is_deltatable(str(path)):
            return False
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
        path.parent,
    ):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _part(path: Path) -> pl.DataFrame:
    try:
        if not path.stem.endswith(_sha256(path)):
            raise Tampered(f"{path} was changed or damaged; restore the file, or ingest again.")
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise Tampered(f"{path} is gone; restore the file, or ingest again.") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreDown(f"{path} cannot be read: {_first_line(error)}.") from None


def _is_whole(path: Path) -> bool:
    return path.exists() and path.stem.endswith(_sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _local(uri: str) -> Path:
    return Path(unquote(uri.removeprefix("file://")))  # the library quotes plain paths too


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
