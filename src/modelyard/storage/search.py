"""What a filter names of a version, as SQL: the values that ``tables.expressions.judge`` computes with.

An unknown value is SQL's NULL, and what is neither true nor false is kept out by WHERE.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from modelyard.storage.schema import admissions, aliases, figures, labels, releases, tags, versions

_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_OWN: dict[str, sa.ColumnElement[Any]] = {
    "version": versions.c.number,
    "registered": versions.c.registered,
    "by": versions.c.author,
    "dataset": versions.c.dataset,
    "run": versions.c.run,
}


class Columns:
    """Of each row of ``versions``."""

    def column(self, name: str, _sort: str) -> sa.ColumnElement[Any]:
        """``KeyError`` for what a version has not."""
        if name in _OWN:
            return _OWN[name]
        if name == "note":
            noted = sa.select(labels.c.note).where(*_same(labels), labels.c.note != "")
            return noted.scalar_subquery()
        if name == "deprecated":
            return _whether(labels, labels.c.deprecated == 1)
        group, _, key = name.partition(".")
        if group == "metrics":
            return sa.select(figures.c.value).where(*_same(figures), figures.c.name == key).scalar_subquery()
        if group == "tags":
            return sa.select(tags.c.value).where(*_same(tags), tags.c.name == key).scalar_subquery()
        return {
            "aliases": lambda: _whether(aliases, aliases.c.name == key),
            "admitted": lambda: _whether(admissions, admissions.c.environment == key),
            "live": lambda: _whether(releases, releases.c.environment == key, releases.c.status == "live"),
        }[group]()

    def constant(self, value: float | str) -> sa.ColumnElement[Any]:
        return sa.literal(value)

    def arithmetic(self, sign: str, left: Any, right: Any) -> sa.ColumnElement[Any]:
        one, other = sa.cast(left, sa.Double), sa.cast(right, sa.Double)
        if sign == "/":  # what is no number is unknown
            return one / sa.func.nullif(other, sa.literal(0.0))
        result: sa.ColumnElement[Any] = _SIGNS[sign](one, other)
        return result

    def compare(self, sign: str, left: Any, right: Any) -> tuple[Any, Any]:
        holds = _SIGNS[sign](left, right)
        return holds, sa.not_(holds)

    def is_null(self, value: Any) -> tuple[Any, Any]:
        return value.is_(None), value.is_not(None)


def _same(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.model == versions.c.model, table.c.version == versions.c.number


def _whether(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    """1 or 0, as booleans are computed with."""
    found = sa.select(sa.literal(1)).select_from(table).where(*_same(table), *conditions).exists()
    return sa.case((found, sa.literal(1.0)), else_=sa.literal(0.0))
