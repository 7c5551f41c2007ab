"""Dataset versions in the yard's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from modelyard.data.preparation import Prepared
from modelyard.data.sources.staged import Staged
from modelyard.errors import Tampered
from modelyard.records.dataset import DatasetVersion
from modelyard.tables import delta
from modelyard.tables.split import FOLD, SPLIT

Side = Literal["train", "test", "all"]


class Stored(NamedTuple):
    """Where a version's rows are: the table's path below the tables, its version, and that version's parts."""

    table: str
    version: int
    parts: tuple[str, ...]


def store(prepared: Prepared, tables: Path, dataset: str) -> Stored:
    """Take the prepared rows into the dataset's table as its next version.

    Content that the table holds already, from a run that was killed before the yard knew, is found
    and not written again. Raises ``StoreDown``.
    """
    path = tables / dataset
    version = delta.adopt(path, prepared.parts, prepared.schema, digest=prepared.digest, extra=prepared.extra)
    return Stored(dataset, version, delta.names(path, version))


def load(version: DatasetVersion, tables: Path, *, part: Side, split: bool = False) -> pl.DataFrame:
    """The rows of one side of the split, or all, in the order they came in.

    With ``split`` the column of the split (``tables.split.SPLIT``) stays, last.

    Every file is held against its sha256 and against the list that the yard keeps. Raises ``Tampered``
    or ``StoreDown``.
    """
    path = tables / version.table
    frame = delta.read(path, version.table_version, version.schema)
    _check(version, path, frame.columns)
    chosen = frame if part == "all" else frame.filter(pl.col(SPLIT) == part)
    return chosen if split else chosen.drop(SPLIT, FOLD, strict=False)


def scan(version: DatasetVersion, tables: Path, *, part: Side, split: bool = False) -> pl.LazyFrame:
    """As ``load``, for tables larger than memory: the files are verified now and read when collected."""
    path = tables / version.table
    frame = delta.scan(path, version.table_version, version.schema)
    _check(version, path, frame.collect_schema().names())
    chosen = frame if part == "all" else frame.filter(pl.col(SPLIT) == part)
    return chosen if split else chosen.drop(SPLIT, FOLD, strict=False)


def staged_version(version: DatasetVersion, tables: Path) -> tuple[Staged, ...]:
    """The version's verified files, to be read part by part, without the columns of the split."""
    path = tables / version.table
    _check(version, path, scan(version, tables, part="all", split=True).collect_schema().names())
    return tuple(
        Staged(path=path / name, form="parquet", origin=f"{version.ref}, {name}", leave=(SPLIT, FOLD))
        for name in delta.names(path, version.table_version)
    )


def _check(version: DatasetVersion, path: Path, columns: list[str]) -> None:
    listed = not version.parts or version.parts == delta.names(path, version.table_version)
    if SPLIT not in columns or not listed:
        raise Tampered(
            f"Version {version.table_version} of the table {path} does not hold what {version.ref} was made of; "
            "restore its files, or ingest again."
        )
