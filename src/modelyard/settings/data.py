"""The settings of a dataset. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(gt=0, lt=1)]
TableName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

Finding = Literal[
    "target_leak",
    "duplicates",
    "group_leak",
    "moved",
    "split_column",
    "uneven",
    "identifier",
    "constant",
    "same_columns",
    "mixed",
    "widened",
]


class SplitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``split``: which rows are held back for testing."""

    test: Share = 0.2
    """The share of rows held back, by a hash of the row's key and the seed."""
    stratify: bool = False
    """Verify that each class has its share in the test split, and refuse an empty class."""
    seed: int = 0
    group: str | tuple[str, ...] = ()
    """Columns whose rows of equal values stand on one side, such as ``patient_id``."""
    time: str | None = None
    """A column of times (or numbers): the newest rows are held back."""
    after: int | float | str | None = None
    """The first time that is held back, such as ``"2026-01-01"``; by default the one that gives ``test``
    its share in the first version, which later versions keep."""
    column: str | None = None
    """A column that says itself which rows are held back."""
    test_value: bool | int | float | str | None = None
    """What ``column`` holds in rows that are held back; by default ``test``."""
    holdout: str | None = None
    """A CSV or Parquet file with the keys of the rows that are held back."""
    folds: Annotated[int, Meta(ge=2, le=100)] | None = None
    """Deal every row to one of so many folds too, for cross-validation: ``data.folds`` in training."""

    def __post_init__(self) -> None:
        chosen = [n for n in ("group", "time", "column", "holdout") if getattr(self, n)]
        if len(chosen) > 1:
            raise ValueError(f"'{chosen[0]}' and '{chosen[1]}' exclude each other")
        for name, needed in (("after", "time"), ("test_value", "column")):
            if getattr(self, name) is not None and not getattr(self, needed):
                raise ValueError(f"'{name}' needs '{needed}'")
        if self.folds and self.time:
            raise ValueError("'folds' are dealt by hash, which would train on what is later than 'time'")


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[data.NAME.source]``: where rows come from; exactly one of ``path``, ``url``, ``delta`` and ``python``."""

    path: str | None = None
    """A file, a glob or a folder, relative to the project."""
    url: str | None = None
    """``http(s)://``, ``s3://``, ``gs://``, ``az://``, or a database with ``query``. ``${NAME}`` stands for an
    environment variable, ``${file:PATH}`` for a file's content."""
    delta: str | None = None
    """A Delta table's folder, relative to the project."""
    python: str | None = None
    """A function of the project that yields frames, ``data/feed.py:rows``."""
    query: str | None = None
    """SQL for the database at ``url``, or a ``.sql`` file of the project."""
    partition_on: str | None = None
    """An integer column of the query's result by which a large one is read in parts, side by side."""
    partitions: Annotated[int, Meta(ge=1, le=64)] = 4
    """Parts and connections, with ``partition_on``."""
    format: Literal["csv", "tsv", "jsonl", "parquet", "arrow", "excel"] | None = None
    """What the files are; by default told from their endings."""
    separator: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    """What parts the fields of a text file; by default a comma, or a tab in ``.tsv``."""
    encoding: str = "utf-8"
    """Of text files, such as ``latin-1`` or ``utf-16``."""
    quotes: bool = True
    """False: a double quote in a text file is a character as any other."""
    sheet: str | None = None
    """The sheet of an Excel file; by default its first."""
    version: Annotated[int, Meta(ge=0)] | None = None
    """The version of the Delta table; by default its latest."""
    headers: dict[str, str] = {}
    """Sent with an ``http(s)://`` request; ``${NAME}`` as in ``url``."""
    options: dict[str, str] = {}
    """Told to an object store, such as ``endpoint`` or ``region``; ``${NAME}`` as in ``url``."""
    timeout: Annotated[float, Meta(gt=0)] = 30.0
    """Seconds without an answer, or with less than 1 KiB/s, after which a server counts as down."""
    limit_gb: Annotated[float, Meta(gt=0)] = 100.0
    """The most that is fetched from one address."""

    def __post_init__(self) -> None:
        given = [n for n in ("path", "url", "delta", "python") if getattr(self, n) is not None]
        if len(given) != 1:
            what = " and ".join(f"'{n}'" for n in given) or "none of them"
            raise ValueError(f"a source has exactly one of 'path', 'url', 'delta' and 'python', not {what}")
        if self.path is not None and "://" in self.path:
            raise ValueError("'path' is of this machine; give an address as 'url'")
        fits = {
            "query": "url",
            "partition_on": "url",
            "headers": "url",
            "version": "delta",
            "sheet": "path or url",
        }
        for name, place in fits.items():
            if getattr(self, name) not in (None, {}) and given[0] not in place:
                raise ValueError(f"'{name}' goes with '{place}', not with '{given[0]}'")
        if self.partition_on is not None and self.query is None:
            raise ValueError("'partition_on' goes with 'query'")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"there is no encoding '{self.encoding}'") from None
        if self.separator is not None and self.separator in '"\r\n':
            raise ValueError("'separator' cannot be a quote or a line's end")


Mode = Literal["full", "append", "upsert", "watermark"]


class IncrementalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``incremental``: what an ingest makes of the rows of the version before; ``incremental = "append"`` is short
    for ``{ mode = "append" }``."""

    mode: Mode
    """``full``: the sources are the whole table. ``append``: their rows are added to the version before.
    ``upsert``: rows with a known key replace the old ones. ``watermark``: only rows newer than the version
    before are taken; with a key they are upserted."""
    on: str | None = None
    """With ``watermark``: the column of times, days or numbers that tells what is newer."""
    lateness: int | float | str | None = None
    """With ``watermark`` and a key: how far below the newest row others may still arrive, such as ``"2d"``,
    or a number where ``on`` holds numbers."""
    since: int | float | str | None = None
    """With ``watermark``: what is older is never taken, such as ``"2026-01-01"``."""
    source: TableName | None = None
    """Of several ``sources`` the one that brings new rows, by default the transform's ``base``; the others are
    read whole each time, for the new rows alone."""

    def __post_init__(self) -> None:
        if self.mode == "watermark" and self.on is None:
            raise ValueError("'watermark' needs 'on', the column that tells what is newer")
        for name in ("on", "lateness", "since"):
            if self.mode != "watermark" and getattr(self, name) is not None:
                raise ValueError(f"'{name}' goes with 'watermark', not with '{self.mode}'")
        if self.mode == "full" and self.source is not None:
            raise ValueError(
                "'source' goes with 'append', 'upsert' and 'watermark': 'full' reads all sources anew"
            )
        if isinstance(self.lateness, str) and not re.fullmatch(r"[0-9]+[smhd]", self.lateness):
            raise ValueError(
                f"'lateness' is a span such as 30m, 12h or 2d, or a number, not '{self.lateness}'"
            )
        if isinstance(self.lateness, int | float) and not self.lateness >= 0:
            raise ValueError("'lateness' is no number below 0")


class DeduplicateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``deduplicate``: which of the rows of one key stays."""

    keep: Literal["first", "last"] = "last"
    by: str
    """The column that orders them, such as ``updated``; a row without a value loses. Rows equal in it are
    ordered as they were read, or where ``sql`` or ``python`` left them no order, by their values."""


class AsOfSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[data.NAME.transform.asof]]``: what a feature table knew at each row's time, and nothing later."""

    source: TableName
    """The feature table, one of ``sources``."""
    on: str
    """Its column of times at which a row of it was known: dates, times or integers."""
    at: str
    """The rows' own column of times, of the label or the decision."""
    by: str | tuple[str, ...] | dict[str, str] = ()
    """Whose features: columns that both have, or ``{ patient_id = "pid" }`` where the feature table's is called
    otherwise. Without it the feature table is of all rows alike, and is held in memory whole."""
    columns: tuple[str, ...] = ()
    """What is taken of the feature table; by default all but ``on`` and ``by``."""
    prefix: str = ""
    """Put before the name of each column taken."""
    tolerance: Annotated[str, Meta(pattern=r"^[0-9]+[smhdw]?$")] | None = None
    """The oldest that a feature may be, such as ``30d`` (``s m h d w``; a plain number where times are
    integers); by default any age."""
    strict: bool = False
    """Only what was known before the row's time, not at it."""


class TransformSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[data.NAME.transform]``: what is made of the sources, in this order.

    ``parse``, ``cast`` and ``rename`` are of a source's columns, named as they are there: ``COLUMN`` of
    ``source``, ``SOURCE.COLUMN`` of ``sources``. All below them is of what ``sql``, ``python`` or ``base`` gives.
    """

    parse: dict[str, str] = {}
    """How texts say dates and times (``"%d/%m/%Y"``, ``"%d.%m.%Y %H:%M"``) or numbers (``"1.234,5"``, ``"1,234.5"``)."""
    cast: dict[str, Literal["integer", "float", "boolean", "string", "date", "datetime"]] = {}
    """What a column is to be; a value that would be lost is refused."""
    rename: dict[str, str] = {}
    """Old name to new."""
    sql: str | None = None
    """A query over the sources, or a ``.sql`` file of the project; a single source is called ``source``."""
    python: str | None = None
    """A function of the project from lazy frames, named as the sources are, to one: ``data/clean.py:clean``."""
    base: TableName | None = None
    """Which of ``sources`` the rows are, where there is neither ``sql`` nor ``python``."""
    where: str | None = None
    """An SQL expression of the rows that stay, such as ``age >= 18``."""
    deduplicate: Literal["first", "last"] | DeduplicateSettings | None = None
    """Of rows with the same key (without ``key``, of equal rows) only the first or the last stays."""
    asof: tuple[AsOfSettings, ...] = ()
    """Point-in-time joins."""
    drop: tuple[str, ...] = ()
    """Columns that go, last of all."""

    def __post_init__(self) -> None:
        chosen = [n for n in ("sql", "python", "base") if getattr(self, n) is not None]
        if len(chosen) > 1:
            raise ValueError(f"'{chosen[0]}' and '{chosen[1]}' exclude each other")
        if isinstance(self.deduplicate, str) and (self.sql or self.python):
            raise ValueError(
                f"the rows of '{chosen[0]}' have no order: name the column that orders them, "
                "deduplicate = { keep = 'last', by = 'updated' }"
            )


def _check_labels(target: str | tuple[str, ...] | None) -> None:
    if not isinstance(target, tuple):
        return
    if len(target) < 2:
        raise ValueError("'target' as a list has two labels or more; write a single column as a text")
    if twice := sorted({name for name in target if target.count(name) > 1}):
        raise ValueError(f"'target' names '{twice[0]}' twice")
    if taken := {"macro", "micro"} & {*target}:
        raise ValueError(
            f"'target' has a label '{min(taken)}', which metrics of all labels are called; rename it"
        )


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[data.NAME]``: a dataset and where its rows come from."""

    source: str | SourceSettings | tuple[str | SourceSettings, ...] | None = None
    """A file, glob, folder or address, or a table that says more (``[data.NAME.source]``); or a list of
    such, whose rows are taken one after the other."""
    sources: dict[TableName, str | SourceSettings | tuple[str | SourceSettings, ...]] = {}
    """Instead of ``source``: several by name, of which ``transform`` makes one table."""
    transform: TransformSettings | None = None
    """What is made of the rows before they are checked."""
    target: str | tuple[str, ...] | None = None
    """The column to predict; or a list of columns of yes and no (booleans, 0 and 1), of which any number holds for a
    row: the labels of a ``multilabel`` model."""
    key: str | tuple[str, ...] = ()
    """What identifies a row; without it, its content does."""
    schema: str | None = None
    """The file that declares what the rows must be, relative to the project; by default
    ``data/NAME.schema.toml``, which the first ``ingest`` begins."""
    split: SplitSettings = SplitSettings()
    refuse: tuple[Finding, ...] = ()
    """Findings that refuse the version instead of being reported only."""
    incremental: Mode | IncrementalSettings = "full"
    """Whether the sources are the whole table or what is new of it: ``append``, ``upsert`` or
    ``{ mode = "watermark", on = "COLUMN" }``."""

    @property
    def growth(self) -> IncrementalSettings:
        """``incremental`` in its long form."""
        how = self.incremental
        return how if isinstance(how, IncrementalSettings) else IncrementalSettings(mode=how)

    @property
    def inputs(self) -> dict[str, str | SourceSettings | tuple[str | SourceSettings, ...]]:
        """The sources by their names in a transform."""
        return dict(self.sources) or ({"source": self.source} if self.source else {})

    @property
    def growing(self) -> str | None:
        """The name, in ``inputs``, of the source that brings new rows; None where no setting says so."""
        if not self.sources:
            return "source"
        return self.growth.source or (self.transform.base if self.transform else None)

    def taking(self, new: tuple[SourceSettings, ...]) -> DataSettings:
        """The settings with no more than ``new`` of the source that brings new rows; without any, of none."""
        if self.source is not None:
            return msgspec.structs.replace(self, source=new)
        if not new:
            return msgspec.structs.replace(self, source=(), sources={}, transform=None, incremental="full")
        return msgspec.structs.replace(self, sources={**self.sources, self.growing or "": new})

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of yes and no, where there are several to predict."""
        return self.target if isinstance(self.target, tuple) else ()

    @property
    def one(self) -> str | None:
        """The column to predict, where it is one."""
        return self.target if isinstance(self.target, str) else None

    def __post_init__(self) -> None:
        _check_labels(self.target)
        growth = self.growth
        if growth.mode == "upsert" and not self.key:
            raise ValueError("'upsert' replaces rows by their key; set 'key' too")
        if growth.lateness and not self.key:
            raise ValueError("'lateness' takes rows again, which only a key can tell; set 'key' too")
        if growth.source is not None and growth.source not in self.sources:
            raise ValueError(f"'incremental' names '{growth.source}', which is none of 'sources'")
        if growth.mode != "full" and self.growing is None:
            raise ValueError(
                "'incremental' does not say which of 'sources' brings new rows: name it, as in "
                f"{{ mode = '{growth.mode}', source = '{next(iter(self.sources))}' }}; the others are read whole for them"
            )
        if bool(self.sources) == (self.source is not None):
            raise ValueError("a dataset has either 'source' or 'sources'")
        transform = self.transform or TransformSettings()
        if self.sources and not (transform.sql or transform.python or transform.base):
            raise ValueError("'sources' need a 'transform' with 'sql', 'python' or 'base'")
        named = [("base", transform.base), *(("asof", one.source) for one in transform.asof)]
        for setting, name in named:
            if name is not None and name not in self.inputs:
                raise ValueError(f"'{setting}' names '{name}', which is none of 'sources'")
        if isinstance(transform.deduplicate, DeduplicateSettings) and not self.key:
            raise ValueError("'deduplicate' by a column needs a 'key'")
