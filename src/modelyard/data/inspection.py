"""Stored dataset versions held against what the yard knows of them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelyard.errors import ModelyardError, StoreDown
from modelyard.records.dataset import DatasetVersion
from modelyard.storage.doctor import Problem
from modelyard.tables import delta

SETTLED = dt.timedelta(minutes=10)
"""A file that nobody needs may be a running ingest's until then."""


def inspect(
    versions: Sequence[DatasetVersion],
    tables: Path,
    *,
    given_up: Collection[str] = (),
    now: dt.datetime | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Problem]:
    """Every part that is gone or changed, versions that cannot be opened, and files that belong to none.

    All parts are read, each once. ``given_up`` are references of versions whose rows ``gc`` removed.
    """
    needed: dict[Path, list[str]] = {}
    opened: list[DatasetVersion] = []
    for version in versions:
        try:
            names = delta.names(tables / version.table, version.table_version)
        except StoreDown as error:
            yield _broken(version.ref, str(error), version)
            continue
        opened.append(version)
        if version.parts and version.parts != names:
            yield _broken(version.ref, f"{version.ref} is not made of the files that it was.", version)
        if version.ref not in given_up:
            for name in version.parts or names:
                needed.setdefault(tables / version.table / name, []).append(version.ref)
    yield from _damaged(needed, tell)
    settled = (now or dt.datetime.now(dt.UTC)) - SETTLED
    for table in sorted({version.table for version in opened}):
        for file in strays(tables / table, [v for v in versions if v.table == table]):
            if dt.datetime.fromtimestamp(file.stat().st_ctime, dt.UTC) < settled:
                yield Problem(
                    where=str(file),
                    sentence=f"No dataset version is made of it; it takes {file.stat().st_size:,} bytes.",
                    fix="run 'modelyard gc'",
                    waste=True,
                )


def whole(version: DatasetVersion, tables: Path) -> bool:
    """Whether each of its parts is there and what it was. Raises ``StoreDown``."""
    table = tables / version.table
    return not any(_fault(table / name) for name in parts(table, version))


def strays(table: Path, kept: Sequence[DatasetVersion]) -> list[Path]:
    """Files of a table that no kept version is made of; the table's own newest version stays. Raises ``StoreDown``."""
    needed = {name for version in kept for name in parts(table, version)}
    needed |= set(delta.names(table, delta.newest(table)))
    found = sorted([*table.glob("*.parquet"), *table.glob(".*.tmp")])
    return [file for file in found if file.name not in needed]


def parts(table: Path, version: DatasetVersion) -> tuple[str, ...]:
    """The names of a version's parts, as the yard knows them."""
    return version.parts or delta.names(table, version.table_version)


def _damaged(needed: Mapping[Path, Sequence[str]], tell: Callable[[str], None]) -> Iterator[Problem]:
    total, read = sum(_size(part) for part in needed), 0
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for (part, refs), fault in zip(needed.items(), pool.map(_fault, needed), strict=True):
            read += _size(part)
            tell(f"reading {refs[0]}, {read / 1e6:,.0f} of {total / 1e6:,.0f} MB of all datasets")
            if fault:
                yield Problem(
                    where=", ".join(refs),
                    sentence=fault,
                    fix="restore the file from a copy, or remove it and ingest the same sources again",
                )


def _fault(part: Path) -> str | None:
    try:
        delta.verify(part)
    except ModelyardError as error:
        return str(error)
    return None


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _broken(where: str, sentence: str, version: DatasetVersion) -> Problem:
    return Problem(
        where=where, sentence=sentence, fix=f"restore the folder of the table '{version.table}' from a copy"
    )
