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
    "mixed",
    "widened",
]


class DataFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a dataset version that a person should look at."""

    kind: FindingAtIngest
    columns: tuple[str, ...]
    figure: float
    """What was measured; ``sentence`` names its unit."""
    sentence: str
    """What it means and what to do."""


Mode = Literal["full", "append", "upsert", "watermark"]


class Watermark(msgspec.Struct, frozen=True, kw_only=True):
    """The highest value of the column by which an incremental ingest tells what is newer."""

    on: str
    value: int | float | str
    """Days and times as ISO 8601."""


class Intake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an incremental ingest took in: ``read = added + replaced + identical + superseded + aside``."""

    mode: Mode
    base: int | None = None
    """The number of the version before."""
    files: int = 0
    """Files and addresses that were read."""
    known: int = 0
    """Files that were not read again, since an earlier version holds them."""
    read: int = 0
    added: int = 0
    replaced: int = 0
    """Rows that took the place of one with the same key."""
    identical: int = 0
    """Rows that were there already, value by value."""
    superseded: int = 0
    """Rows whose key came again later in what was read."""
    aside: int = 0
    """Rows at or below the watermark."""
    before: int = 0
    """Rows of the version before; ``before + added`` is what there is now."""


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """When a table that rows were added to was last read whole."""

    rows: int
    times: int = 0
    """That rows were added since."""


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
    watermark: Watermark | None = None
    """The newest of all rows taken in, with ``watermark``."""
    intake: Intake | None = None
    """What was taken in to make it of the version before; None when the sources were the whole table."""
    sums: tuple[str, ...] = ()
    """What the rows add up to in the digest, in hexadecimal; with it rows can be added without reading the others."""
    whole: Whole | None = None
    """None: for this version. Profile and findings are as exact as they were then."""
    created: dt.datetime

    @property
    def ref(self) -> str:
        return f"{self.dataset}@{self.number}"
