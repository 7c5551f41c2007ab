"""The shape of a table: columns, their kinds and rules."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["integer", "float", "boolean", "string", "date", "datetime"]
Rule = Literal["kind", "nullable", "range", "categories"]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column; ``declared`` names the rules a person wrote down.

    ``kind`` and ``nullable`` always refuse a row that breaks them. ``minimum``, ``maximum`` and
    ``categories`` refuse it only when declared; when inferred they mark and count.
    """

    name: str
    kind: Kind
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    declared: tuple[Rule, ...] = ()


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """Columns in the table's order; features are all but target and key."""

    columns: tuple[Column, ...]
    target: str | None = None
    key: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[Column, ...]:
        aside = {self.target, *self.key}
        return tuple(c for c in self.columns if c.name not in aside)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
