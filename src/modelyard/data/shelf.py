"""Dataset versions in the yard's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from modelyard.data.preparation import Prepared
from modelyard.errors import Tampered
from modelyard.records.dataset import DatasetVersion
from modelyard.tables import delta
from modelyard.tables.digest import digest
from modelyard.tables.split import SPLIT


def store(prepared: Prepared, tables: Path, dataset: str) -> tuple[str, int]:
    """Write the rows as the dataset's table's next version: (path below ``tables``, version).

    Content that the table holds already, from a run that was killed before the yard knew, is found
    and not written again. Raises ``StoreDown``.
    """
    version = delta.write(tables / dataset, prepared.frame, prepared.schema, digest=prepared.digest)
    return dataset, version


def load(
    version: DatasetVersion, tables: Path, *, part: Literal["train", "test", "all"], split: bool = False
) -> pl.DataFrame:
    """The rows of one side of the split, or all, in the order they came in.

    With ``split`` the column of the split (``tables.split.SPLIT``) stays, last.

    The content is held against the version's digest first. Raises ``Tampered`` or ``StoreDown``.
    """
    path = tables / version.table
    frame = delta.read(path, version.table_version, version.schema)
    if SPLIT not in frame.columns or digest(frame, version.schema) != version.digest:
        raise Tampered(
            f"Version {version.table_version} of the table {path} does not hold what {version.ref} was made of; "
            "restore its files, or ingest again."
        )
    chosen = frame if part == "all" else frame.filter(pl.col(SPLIT) == part)
    return chosen if split else chosen.drop(SPLIT)
