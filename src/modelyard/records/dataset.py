"""One immutable state of a named table."""

from __future__ import annotations

import datetime as dt
from typing import Literal

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
    """How rows were dealt; what decides for a row is the row alone, never its neighbours.

    A row is a test row iff its key is in ``holdout``, else iff ``column`` holds ``test_value``, else iff
    ``time`` is ``after`` or later, else iff ``hash(seed, group or key or features) < test``.
    """

    test: float
    seed: int
    stratify: bool
    shares: dict[str, float] = {}
    """The test share found in each class (with ``stratify``)."""
    group: tuple[str, ...] = ()
    time: str | None = None
    after: int | float | str | None = None
    """The first time that is a test row's: as declared, or as chosen for the first version that needed it."""
    column: str | None = None
    test_value: bool | int | float | str | None = None
    holdout: SourceFile | None = None
    folds: int | None = None


FindingAtIngest = Literal[
    "target_leak",
    "duplicates",
    "group_leak",
    "moved",
    "split_column",
    "identifier",
    "constant",
    "same_columns",
    "uneven",
]


class DataFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a dataset version that a person should look at."""

    kind: FindingAtIngest
    columns: tuple[str, ...]
    figure: float
    """What was measured; ``sentence`` names its unit."""
    sentence: str
    """What it means and what to do."""


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
    findings: tuple[DataFinding, ...] = ()
    created: dt.datetime

    @property
    def ref(self) -> str:
        return f"{self.dataset}@{self.number}"
