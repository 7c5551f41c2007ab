"""What a dataset version holds, as its table, its page and its JSON tell it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from modelyard.records.dataset import SourceFile, Split
from modelyard.records.schema import Kind

Role = Literal["feature", "target", "key"]
Measure = Literal["spearman", "rank_biserial", "correlation_ratio", "cramers_v"]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with a value above ``low`` up to ``high``, or with this ``label``; one value when both are equal.

    Days count from 1970-01-01 and times are microseconds since then, as in a profile.
    """

    label: str = ""
    low: float | None = None
    high: float | None = None
    rows: int
    classes: tuple[int, ...] = ()
    """Of the rows looked at, how many are of each of the report's ``classes``."""
    mean: float | None = None
    """Of the rows looked at, the mean of a target that is a number, of five rows or more."""


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """How much two columns tell of one another, by ranks, over rows where both have a value.

    ``spearman`` (two numbers) and ``rank_biserial`` (a number and two classes: 2 AUC - 1, positive when it is
    larger in the last class) lie between -1 and 1; ``correlation_ratio`` (a number and classes: eta of
    its ranks) and ``cramers_v`` (two sets of labels, corrected for bias, Bergsma 2013) between 0 and 1.
    """

    a: str
    b: str
    measure: Measure
    value: float


class ColumnReport(msgspec.Struct, frozen=True, kw_only=True):
    """One column; figures are of all rows, from the profile's counts."""

    name: str
    kind: Kind
    role: Role
    rows: int
    missing: int
    infinite: int = 0
    distinct: int
    distinct_is_least: bool = False
    """There are at least so many; the profile cannot tell more."""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    sd: float | None = None
    quantiles: dict[str, float] = {}
    """``5 %``, ``25 %``, ``50 %``, ``75 %`` and ``95 %``; to within 1/256 of the rows."""
    bars: tuple[Bar, ...] = ()
    undrawn: int = 0
    """Rows with a value outside of the bars: far tails, or labels beyond the most frequent."""
    relation: Relation | None = None
    """To the target."""
    personal: bool = False
    """Counted only: no value of it is told."""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One class of the target, or a label that holds, in train and test, of the rows looked at."""

    label: str
    train: int
    test: int
    train_rows: int = 0
    """Of a label, the rows of which it holds in ``train``; 0 for a class, of which each row has one."""
    test_rows: int = 0


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A target that is a number in one part of the split, of the rows looked at."""

    part: Literal["train", "test"]
    mean: float
    sd: float


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    dataset: str
    """Reference of the version, ``patients@3``."""
    digest: str
    created: dt.datetime
    rows: int
    test_rows: int
    target: str | None
    labels: tuple[str, ...] = ()
    """Instead of a target: columns of which any number holds for a row."""
    key: tuple[str, ...]
    split: Split
    sources: tuple[SourceFile, ...]
    marks: dict[str, int] = {}
    findings: tuple[str, ...] = ()
    """What was found at ingest, a sentence each."""
    columns: tuple[ColumnReport, ...]
    looked: int = 0
    """Rows that classes, relations and balance were taken from; 0 when only the profile was read."""
    classes: tuple[str, ...] = ()
    """Of the target: all, or the most frequent and the rest."""
    balance: tuple[Balance, ...] = ()
    spread: tuple[Spread, ...] = ()
    related: tuple[str, ...] = ()
    """Columns of ``correlations``, the most telling ones first."""
    correlations: tuple[tuple[float, ...], ...] = ()
    """Spearman's between each two of ``related``."""
    pairs: tuple[Relation, ...] = ()
    """The strongest among all columns of numbers."""

    def column(self, name: str) -> ColumnReport:
        """The report on that column; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
