"""How a two-class model treats groups."""

from __future__ import annotations

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share with Wilson's 95 % interval; of no rows it is between 0 and 1."""

    hits: int
    rows: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        return self.hits / self.rows if self.rows else None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    rows: int
    judged: bool
    """False where the rows are fewer than the least that is judged."""
    selection: Rate
    """Of all rows, those answered with the positive class."""
    tpr: Rate
    """Of the positive rows, those found."""
    fpr: Rate
    """Of the other rows, those answered with the positive class."""
    ppv: Rate
    """Of the positive answers, those that are right."""


class GroupGap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The largest rate of a judged group less the smallest, and the smallest over the largest."""

    rate: str
    """``selection``, ``tpr``, ``fpr`` or ``ppv``."""
    least: str
    most: str
    gap: float
    low: float
    high: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


class Fairness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The groups of one column; a gap needs two judged groups."""

    column: str
    groups: tuple[Group, ...]
    gaps: tuple[GroupGap, ...] = ()

    def gap(self, rate: str) -> GroupGap | None:
        """The gap of that rate, if there is one."""
        return next((gap for gap in self.gaps if gap.rate == rate), None)
