"""One immutable state of a named table."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.records.schema import Schema


class SourceFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file or address that rows came from, free of credentials."""

    path: str
    size: int
    sha256: str
    """Empty for what is elsewhere and was not read to tell."""
    mark: str = ""
    """What else tells a change: a server's ETag, a table's version, settings of how it is read."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """How rows were dealt: a row is a test row iff ``hash(seed, key) < test``."""

    test: float
    seed: int
    stratify: bool
    shares: dict[str, float] = {}
    """The test share found in each class (with ``stratify``)."""


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """``dataset@number``; ``digest`` is of the logical content, whatever the files look like."""

    dataset: str
    number: int
    digest: str
    table: str
    """Path of the Delta table, relative to the yard's tables."""
    table_version: int
    parts: tuple[str, ...] = ()
    """The table's files in the order of their rows, each named by its sha256."""
    rows: int
    test_rows: int
    schema: Schema
    profile: str
    """Digest of the stored profile of all rows."""
    split: Split
    sources: tuple[SourceFile, ...]
    marks: dict[str, int] = {}
    """Rows that broke a rule that was only inferred or has severity ``warn``, counted by ``column: rule``."""
    declared: str = ""
    """Digest of what the schema file declared; empty when nothing."""
    newest: dt.datetime | None = None
    """The latest value of the column that tells freshness, when one is declared."""
    created: dt.datetime

    @property
    def ref(self) -> str:
        return f"{self.dataset}@{self.number}"
