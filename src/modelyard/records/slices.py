"""How a model does on parts of the test rows."""

from __future__ import annotations

import msgspec

from modelyard.records.metric import Metric


class Slice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows of one category or bin of a column."""

    column: str
    label: str
    rows: int
    metrics: tuple[Metric, ...] = ()
    """None where the rows are fewer than the least that is judged; undefined ones are left out."""

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, where these rows define it."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    column: str
    label: str


class WeakSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows on which the model does worse than elsewhere, found on one half of the rows, measured on the other."""

    where: tuple[Condition, ...]
    """One or two, all of which hold."""
    rows: int
    """In both halves."""
    loss: float
    """Mean loss there, and elsewhere."""
    loss_elsewhere: float
    wrong: float | None = None
    """Share of wrong labels there, and elsewhere; None for numbers."""
    wrong_elsewhere: float | None = None
    p: float
    """One-sided, corrected for the number of candidates by Holm's method."""


class Search(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A look for weak slices among single conditions and pairs of them."""

    loss: str
    """``brier``, ``zero_one`` or ``absolute_error``, row by row."""
    rows: int
    columns: int
    looked: int = 0
    """Slices that had rows enough."""
    candidates: int = 0
    """Slices of the first half that were tried on the second."""
    alpha: float = 0.05
    found: tuple[WeakSlice, ...] = ()
    note: str = ""
    """Why nothing was looked for."""
