"""The shape of a table: columns, their kinds and rules."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["integer", "float", "boolean", "string", "date", "datetime"]
Rule = Literal["kind", "nullable", "range", "categories", "pattern", "unique"]
Severity = Literal["error", "warn"]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column; ``declared`` and ``warned`` name the rules that a person wrote down.

    ``kind`` and ``nullable`` always refuse a row that breaks them. The other rules refuse it only when
    in ``declared``; when in ``warned``, or only inferred, they mark and count.
    """

    name: str
    kind: Kind
    nullable: bool = False
    minimum: float | None = None
    """Inclusive; for dates in days, for datetimes in microseconds since 1970-01-01 UTC."""
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    declared: tuple[Rule, ...] = ()
    warned: tuple[Rule, ...] = ()
    """Rules that a person wrote down with severity ``warn``."""
    pattern: str | None = None
    """A regular expression of Python that a whole text must match."""
    unique: bool = False
    """No value comes twice in a dataset; a request is not held to it."""
    unit: str | None = None
    description: str | None = None
    personal: bool = False
    """About a person: no message shows its values and no quarantine keeps them."""
    forbidden: bool = False
    """Kept in the table, never a feature."""


class RowRule(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold between the columns of a row, in the language of ``tables.expressions``."""

    name: str
    check: str
    severity: Severity = "error"


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """Columns in the table's order; features are all but targets, key and what is forbidden."""

    columns: tuple[Column, ...]
    target: str | None = None
    key: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    labels: tuple[str, ...] = ()
    """Instead of ``target``: columns of yes and no, of which any number holds for a row."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return self.labels if self.target is None else (self.target,)

    @property
    def features(self) -> tuple[Column, ...]:
        aside = {*self.targets, *self.key}
        return tuple(c for c in self.columns if c.name not in aside and not c.forbidden)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
