"""How one dataset version differs from another."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.records.run import Scalar

ColumnChange = Literal["added", "removed", "kind", "nullable", "range", "categories", "role"]


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about one column; ``sentence`` says it."""

    column: str
    change: ColumnChange
    sentence: str


class CellChange(msgspec.Struct, frozen=True, kw_only=True):
    """One value that was corrected; days and times as text."""

    key: dict[str, Scalar | None]
    column: str
    before: Scalar | None
    after: Scalar | None


class RowChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Rows counted; by ``key`` where both versions have the same, else by ``content``.

    By content nothing is ``changed``: a corrected row is one removed and one added.
    """

    by: Literal["key", "content"]
    before: int
    after: int
    added: int
    removed: int
    changed: int = 0
    moved: int = 0
    """Rows of both versions that stand on another side of the split."""
    columns: dict[str, int] = {}
    """Changed cells of each column, the most first."""
    cells: tuple[CellChange, ...] = ()
    """Some of them."""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One column's distribution in both versions.

    ``effect`` is the population stability index less what chance alone adds to it, ``distance`` Kolmogorov-Smirnov's
    on the edges of the version before (0 for labels). ``p`` is None where nothing was to test.
    """

    column: str
    statistic: str
    value: float
    p: float | None
    distance: float = 0.0
    effect: float
    missing_before: float
    """Share of rows without a value."""
    missing_after: float
    shifted: bool
    sentence: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    before: str
    """Reference of a version, ``patients@2``."""
    after: str
    same: bool
    """Both have the same content."""
    schema: tuple[SchemaChange, ...] = ()
    rows: RowChanges
    shifts: tuple[Shift, ...] = ()
    """Columns of both versions, the largest effect first."""
