"""Dataset versions as versions of a Delta table, each readable for ever.

Log clean-up is off and nothing here vacuums; only the project's own ``gc`` may. A version is one or more
Parquet parts. A part's name says its place among them and ends in its sha256, so that rows keep their order
and damage is found before a decoder meets it. Delta is committed
before the yard, and a commit carries the content's digest, so that a rerun after a kill in between
adopts the orphan instead of writing it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from modelyard.errors import StoreDown, Tampered
from modelyard.records.schema import Column, Schema
from modelyard.storage.filelock import held
from modelyard.tables.kinds import DTYPES, convert

DIGEST = "modelyard.digest"

_CONFIGURATION: dict[str, str | None] = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}
_ATTEMPTS = 8
_PATIENCE = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Part:
    """A Parquet file in the storage types of the schema, the split as a last column of texts."""

    path: Path
    rows: int
    sha256: str


def write(path: Path, frame: pl.DataFrame, schema: Schema, *, digest: str) -> int:
    """As ``adopt``, for rows in memory."""
    ready = pl.DataFrame([convert(frame[c.name], c) for c in _columns(frame.columns, schema)])

    def place() -> list[AddAction]:
        path.mkdir(parents=True, exist_ok=True)
        draft = path / f".{uuid.uuid4().hex}.tmp"
        try:
            with draft.open("wb") as stream:
                ready.write_parquet(stream)
            return [_place(path, Part(draft, ready.height, _sha256(draft)), digest, None)]
        finally:
            draft.unlink(missing_ok=True)

    return _write(path, place, _fields(frame.columns, schema), digest)


def adopt(
    path: Path, parts: Sequence[Part], schema: Schema, *, digest: str, extra: Sequence[str] = ()
) -> int:
    """Make the parts' rows, in that order, the table's newest version and return its number.

    The files are linked in (copied from another disk) and left where they are. ``extra`` names their columns beyond the schema.
    When the table already has an undamaged version of that digest its number is returned and nothing
    is written. What is returned survives power loss. Raises ``StoreDown`` when the disk
    fails; the versions before stay as they were.
    """

    def place() -> list[AddAction]:
        path.mkdir(parents=True, exist_ok=True)
        one = len(parts) == 1
        return [_place(path, part, digest, None if one else at) for at, part in enumerate(parts)]

    return _write(path, place, _fields([*(c.name for c in schema.columns), *extra], schema), digest)


def newest(path: Path) -> int:
    """The number of the table's newest version. Raises ``StoreDown``."""
    try:
        return int(DeltaTable(path).version())
    except Exception as error:  # the library raises bare Exceptions for what its own engine reports
        raise StoreDown(f"The table {path} cannot be opened: {_first_line(error)}") from None


def names(path: Path, version: int) -> tuple[str, ...]:
    """The version's parts in the order of their rows. Raises ``StoreDown``."""
    return tuple(part.name for part in _parts(path, version)[0])


def read(path: Path, version: int, schema: Schema) -> pl.DataFrame:
    """That version's rows in the order they were written, with the split where it was stored.

    Raises ``StoreDown`` when table or version is not there or cannot be opened, ``Tampered`` naming
    the file when a part is missing, damaged or of another shape.
    """
    parts, fields = _parts(path, version)
    frames = [_part(part) for part in parts]
    whole = pl.concat(frames) if frames else pl.DataFrame({name: [] for name in fields})
    columns = _present(whole.columns, schema, path, version)
    return pl.DataFrame([convert(whole[c.name], c) for c in columns])


def scan(path: Path, version: int, schema: Schema) -> pl.LazyFrame:
    """As ``read``, lazily: every part is held against its sha256 now, and read when collected."""
    parts, fields = _parts(path, version)
    for part in parts:
        verify(part)
    _present(fields, schema, path, version)
    return pl.scan_parquet(parts, glob=False).select([c.name for c in _columns(fields, schema)])


def verify(part: Path) -> None:
    """Raises ``Tampered`` naming the part when it is gone or not what its name says, else ``StoreDown``."""
    try:
        if not part.stem.endswith(_sha256(part)):
            raise Tampered(
                f"{part} was changed or damaged; restore the file, or remove it and ingest the same sources again."
            )
    except FileNotFoundError:
        raise Tampered(f"{part} is gone; restore the file, or ingest the same sources again.") from None
    except OSError as error:
        raise StoreDown(f"{part} cannot be read: {_first_line(error)}.") from None


def _write(path: Path, place: Callable[[], list[AddAction]], fields: DeltaSchema, digest: str) -> int:
    placed: list[AddAction] | None = None
    try:
        for _ in range(_ATTEMPTS):
            found = _find(path, digest)
            if found is None:
                placed = place() if placed is None else placed
                # The new parts mend a damaged version of that digest; only else it is a new one.
                found = _find(path, digest)
                if found is None and _commit(path, placed, fields, digest):
                    found = _find(path, digest, trusted=frozenset(action.path for action in placed))
            if found is not None:
                _sync(path, found)
                return found
            # another process committed first: look again
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreDown(
            f"The table {path} cannot be written ({getattr(error, 'strerror', None) or _first_line(error)}); "
            "make room or give access, and run it again."
        ) from None
    raise StoreDown(f"The table {path} keeps changing while a version is written; run it again.")


def _parts(path: Path, version: int) -> tuple[list[Path], list[str]]:
    """Files in order, and the names of the columns."""
    try:
        table = DeltaTable(path, version=version)
        return sorted(_local(uri) for uri in table.file_uris()), [f.name for f in table.schema().fields]
    except TableNotFoundError:
        raise StoreDown(f"There is no table at {path}; restore it, or ingest again.") from None
    except Exception as error:  # the library raises bare Exceptions for what its own engine reports
        raise StoreDown(
            f"Version {version} of the table {path} cannot be opened: {_first_line(error)}"
        ) from None


def _present(names: Sequence[str], schema: Schema, path: Path, version: int) -> list[Column]:
    columns = _columns(names, schema)
    for column in columns:
        if column.name not in names:
            raise Tampered(f"Column '{column.name}' is not in version {version} of the table {path}.")
    return columns


def _fields(names: Sequence[str], schema: Schema) -> DeltaSchema:
    empty = pl.DataFrame(schema={c.name: DTYPES[c.kind] for c in _columns(names, schema)})
    return DeltaSchema.from_arrow(empty.to_arrow().schema)


def _columns(names: Sequence[str], schema: Schema) -> list[Column]:
    known = {c.name for c in schema.columns}
    return [*schema.columns, *(Column(name=n, kind="string") for n in names if n not in known)]


def _find(path: Path, digest: str, *, trusted: frozenset[str] = frozenset()) -> int | None:
    """The newest version that carries the digest and is made of its parts alone, all whole; those ``trusted``
    are not read.

    The log is read here: the library's history numbers commits from the version that it opened, and lists those
    that others made since as well.
    """
    if not DeltaTable.is_deltatable(str(path)):
        return None
    newest(path)  # a log that cannot be opened is said before anything is added to it
    for commit in sorted((path / "_delta_log").glob(f"{'[0-9]' * 20}.json"), reverse=True):
        if _label(commit) != digest:
            continue
        parts, _ = _parts(path, int(commit.stem))
        ours = parts and all(part.name.startswith(digest[:16]) for part in parts)
        if ours and all(_is_whole(part, trusted) for part in parts):
            return int(commit.stem)
    return None


def _label(commit: Path) -> object:
    """The digest that a commit carries."""
    for line in commit.read_bytes().splitlines():
        if DIGEST.encode() in line and "commitInfo" in (action := json.loads(line)):
            return action["commitInfo"].get(DIGEST)
    return None


def _place(path: Path, part: Part, digest: str, at: int | None) -> AddAction:
    """Link the part durably under its name: for whom it is, its place, and its own sha256."""
    place = "" if at is None else f"{at:05}-"
    target = path / f"{digest[:16]}-{place}{part.sha256}.parquet"
    with part.path.open("rb") as stream:
        os.fsync(stream.fileno())
    draft = path / f".{uuid.uuid4().hex}.tmp"
    try:
        try:
            draft.hardlink_to(part.path)
        except OSError:  # another disk, or one without links
            _copy(part.path, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    stats = target.stat()
    numbers = json.dumps({"numRecords": part.rows})
    return AddAction(target.name, stats.st_size, {}, stats.st_mtime_ns // 10**6, True, numbers)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as given, target.open("wb") as taken:
        shutil.copyfileobj(given, taken, 2**20)
        taken.flush()
        os.fsync(taken.fileno())


def _commit(path: Path, adds: list[AddAction], fields: DeltaSchema, digest: str) -> bool:
    """False when another process was first."""
    label = CommitProperties(custom_metadata={DIGEST: digest})
    keep = PostCommitHookProperties(cleanup_expired_logs=False)
    try:
        if not DeltaTable.is_deltatable(str(path)):
            # Of two that create a table at once the library adds the later one's files to the earlier one's.
            with held(path / ".creating", wait=_PATIENCE):
                if DeltaTable.is_deltatable(str(path)):
                    return False
                create_table_with_add_actions(
                    str(path),
                    fields,
                    adds,
                    configuration=_CONFIGURATION,
                    commit_properties=label,
                    post_commithook_properties=keep,
                )
        else:
            DeltaTable(path).create_write_transaction(
                adds, "overwrite", fields, [], commit_properties=label, post_commithook_properties=keep
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
        path.parent,
    ):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _part(path: Path) -> pl.DataFrame:
    verify(path)
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StoreDown(f"{path} cannot be read: {_first_line(error)}.") from None


def _is_whole(path: Path, trusted: frozenset[str]) -> bool:
    return path.exists() and (path.name in trusted or path.stem.endswith(_sha256(path)))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _local(uri: str) -> Path:
    return Path(unquote(uri.removeprefix("file://")))  # the library quotes plain paths too


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
