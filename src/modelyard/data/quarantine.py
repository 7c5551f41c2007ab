"""Rows that a declared rule refused, kept for the people who mend the source.

A file is Parquet and holds the rows' columns, where each came from and all reasons why it was refused.
It is for its owner's eyes (mode 0600) and bounded: at most ``MOST_ROWS`` rows and ``MOST_BYTES``, and
``MOST_FILES`` files a dataset, the oldest going first. What is marked personal is left out, not hashed: few
values have so many possibilities that a hash hides them, and file and row lead to the source.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from modelyard.errors import StoreDown
from modelyard.records.schema import Schema
from modelyard.tables.rules import Fault

MOST_ROWS = 10_000
MOST_BYTES = 64 * 2**20
MOST_FILES = 10
FILE, ROW, REASONS = "__file__", "__row__", "__reasons__"
COLUMN, VALUE = "__column__", "__value__"
"""Of values that could not be read as their column's kind, so that there is no row of the table."""


def keep(
    rows: pl.DataFrame,
    schema: Schema,
    *,
    folder: Path,
    places: Sequence[tuple[str, int]],
    reasons: Sequence[Sequence[str]],
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Path:
    """Write refused rows, each with its file, its row there and its reasons; the file's path.

    Raises ``StoreDown`` when the disk refuses.
    """
    personal = {c.name for c in schema.columns if c.personal}
    kept = rows.select(name for name in rows.columns if name not in personal)
    found = pl.DataFrame(
        {
            FILE: pl.Series([file for file, _ in places], dtype=pl.String),
            ROW: pl.Series([row for _, row in places], dtype=pl.Int64),
            REASONS: pl.Series([list(some) for some in reasons], dtype=pl.List(pl.String)),
        }
    )
    found = pl.concat([found, kept], how="horizontal").head(MOST_ROWS)
    size = int(found.estimated_size())
    while size > MOST_BYTES and found.height > 1:
        found = found.head(max(1, found.height * MOST_BYTES // (2 * int(size))))
        size = int(found.estimated_size())
    if size > MOST_BYTES:
        found = found.select(FILE, ROW, REASONS)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{now():%Y%m%dT%H%M%S%fZ}.parquet"
        draft = path.with_suffix(".tmp")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                found.write_parquet(stream)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        for old in sorted(folder.glob("*.parquet"))[:-MOST_FILES]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StoreDown(
            f"The refused rows cannot be kept in {folder}: {error.strerror}; make room and run it again."
        ) from None
    return path


def by_row(faults: Sequence[Fault], extra: dict[int, list[str]] | None = None) -> dict[int, list[str]]:
    """The reasons of each row at fault, rows counted from 1, in the order of rows."""
    found: dict[int, list[str]] = {}
    for fault in faults:
        if fault.row is not None:
            found.setdefault(fault.row, []).append(fault.message.removeprefix(f"Row {fault.row}: "))
    for row, reasons in (extra or {}).items():
        found.setdefault(row, []).extend(reasons)
    return dict(sorted(found.items()))
