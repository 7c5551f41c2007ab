"""What a value must be to fit its column: the one slow checker, which writes every message.

``tables.check`` (Polars) and ``tables.decode`` (requests) decide fast and come here for the words;
property tests hold them equal to this module. Strictness is defined here once:

========  ==========================================================================================
kind      accepts
========  ==========================================================================================
integer   ``int``, and ``float`` with an integral value; within ±2**53, since float64 holds no more
float     ``int`` (read as its nearest float64) and ``float``, infinities included
boolean   ``bool`` only; no number is a boolean and no boolean a number
string    ``str`` only
date      ``YYYY-MM-DD``, or a ``datetime.date``
datetime  ``YYYY-MM-DD`` ``T`` or space ``HH:MM:SS`` with up to six decimals and an optional ``Z`` or
          ``±HH:MM``, or a ``datetime.datetime``; without an offset it is UTC
========  ==========================================================================================

``None`` is null; NaN is null in integer and float columns. A field that is absent and one that is
not in the schema are faults. Ranges, categories and patterns refuse only where a person declared them, and
so do rules between columns, which are asked only of a row whose columns have no fault of their own.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from modelyard.records.schema import Column, Kind, RowRule, Rule, Schema
from modelyard.tables import expressions, patterns
from modelyard.tables.expressions import COMPARED, COMPUTED, Expression, Operator, Sort

EXACT = 2**53
"""Largest magnitude up to which float64 holds every integer."""

DATE_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
DATETIME_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_DATE = re.compile(DATE_PATTERN)
_DATETIME = re.compile(DATETIME_PATTERN)

WANTED: dict[Kind, str] = {
    "integer": "an integer",
    "float": "a number",
    "boolean": "true or false",
    "string": "a text",
    "date": "a date such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00Z",
}


@dataclass(frozen=True)
class Fault:
    """One value that does not fit.

    ``row`` is the number that the caller counts by, None for a single row or a whole column. ``rule``
    is the broken rule; ``missing`` and ``unknown`` concern the field itself, ``rule`` the row's rule of
    the name ``field``.
    """

    row: int | None
    field: str
    rule: Rule | Literal["missing", "unknown", "rule"]
    message: str


@dataclass(frozen=True)
class Compiled:
    """A row rule, read."""

    rule: RowRule
    expression: Expression

    @property
    def refuses(self) -> bool:
        return self.rule.severity == "error"

    @property
    def mark(self) -> str:
        """What broken rows are counted by."""
        return f"rule {self.rule.name}"


@functools.lru_cache(maxsize=64)
def row_rules(schema: Schema) -> tuple[Compiled, ...]:
    """The schema's rules between columns. Raises ``BadExpression``."""
    kinds = {c.name: c.kind for c in schema.columns}
    return tuple(Compiled(rule, expressions.parse(rule.check, kinds)) for rule in schema.rules)


def feature_rules(schema: Schema) -> tuple[Compiled, ...]:
    """Those between features alone, which a request can be held to."""
    features = {c.name for c in schema.features}
    return tuple(r for r in row_rules(schema) if features.issuperset(r.expression.columns))


def of_features(schema: Schema) -> Schema:
    """The schema of rows that hold features alone, with the rules that they can be held to."""
    rules = tuple(compiled.rule for compiled in feature_rules(schema))
    return msgspec.structs.replace(schema, columns=schema.features, target=None, key=(), rules=rules)


def matcher(pattern: str) -> Callable[[str], object]:
    """Truthy for a text that matches as a whole, in time linear in it. Raises ``patterns.BadPattern``."""
    return patterns.pattern(pattern)


def faults(schema: Schema, row: Mapping[str, object], *, at: int | None = None) -> list[Fault]:
    """All faults of one row of features, in the schema's order, unknown fields in the row's, then row rules.

    ``at`` numbers the row in the faults and in their messages.
    """
    found = []
    for column in schema.features:
        if column.name in row:
            fault = value_fault(column, row[column.name], at=at)
            if fault is not None:
                found.append(fault)
        else:
            found.append(missing(column, at=at))
    known = {c.name for c in schema.features}
    found += [unknown(schema, name, at=at) for name in row if name not in known]
    if schema.rules:
        at_fault = {fault.field for fault in found}
        for compiled in feature_rules(schema):
            if at_fault.isdisjoint(compiled.expression.columns) and compiled.refuses:
                fault = rule_fault(compiled, schema, row, at=at)
                found += [fault] if fault else []
    return found


def rule_fault(
    compiled: Compiled, schema: Schema, row: Mapping[str, object], *, at: int | None = None
) -> Fault | None:
    """The fault of a row that breaks the rule; its columns are known to have none of their own."""
    columns = {name: schema.column(name) for name in compiled.expression.columns}
    _, false = expressions.judge(compiled.expression.term, _Row(row, columns))
    if not false:
        return None
    values = ", ".join(f"'{_cut(name)}' is {_shown(c, row[name])}" for name, c in columns.items())
    rule = compiled.rule
    message = f"{_place(at)}the rule '{rule.name}' ({_cut(rule.check)}) does not hold: {values}."
    return Fault(at, rule.name, "rule", message)


class _Row:
    """One row's values, as ``expressions.Values`` asks for them; None is null."""

    def __init__(self, row: Mapping[str, object], columns: Mapping[str, Column]) -> None:
        self._row, self._columns = row, columns

    def column(self, name: str, sort: Sort) -> Any:
        value = self._row[name]
        if is_null(self._columns[name].kind, value):
            return None
        return value if sort == "string" else as_number(self._columns[name].kind, value)

    def constant(self, value: float | str) -> Any:
        return value

    def arithmetic(self, sign: str, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        if sign == "/" and right == 0:
            if left == 0:
                return None
            return math.copysign(math.inf, left) * math.copysign(1.0, right)
        result = COMPUTED[sign](left, right)
        return None if math.isnan(result) else result

    def compare(self, sign: Operator, left: Any, right: Any) -> tuple[bool, bool]:
        if left is None or right is None:
            return False, False
        holds = COMPARED[sign](left, right)
        return holds, not holds

    def is_null(self, value: Any) -> tuple[bool, bool]:
        return value is None, value is not None


def as_number(kind: Kind, value: Any) -> float:
    """A value that fits a kind other than string, as ranges and row rules compute with it."""
    if kind == "date":
        day: dt.date | None = read_date(value) if isinstance(value, str) else value
        assert day is not None
        return expressions.days(day)
    if kind == "datetime":
        moment = read_datetime(value) if isinstance(value, str) else in_utc(value)
        assert moment is not None
        return expressions.microseconds(moment)
    return float(value)


def value_fault(
    column: Column, value: object, *, at: int | None = None, bounded: bool = True
) -> Fault | None:
    """The first rule that the value breaks, or None. ``bounded=False`` (keys) lifts the bound 2**53."""
    where = f"{_place(at)}'{column.name}'"
    if is_null(column.kind, value):
        if column.nullable:
            return None
        return Fault(
            at, column.name, "nullable", f"{where} is null and may not be; give {WANTED[column.kind]}."
        )
    if (wrong := _wrong(column.kind, value, bounded=bounded)) is not None:
        if column.personal:
            wrong = "and its value is not"
        return Fault(at, column.name, "kind", f"{where} must be {WANTED[column.kind]}, {wrong}.")
    for rule in broken(column, value):
        if rule in column.declared:
            return Fault(
                at, column.name, rule, f"{where} is {_shown(column, value)}, {_bounds(column, rule)}."
            )
    return None


def broken(column: Column, value: Any) -> Iterator[Literal["range", "categories", "pattern"]]:
    """The rules, declared or inferred, that a value of the right kind breaks, in the order of their words."""
    if column.kind == "string":
        if column.categories is not None and value not in column.categories:
            yield "categories"
        if column.pattern is not None and not matcher(column.pattern)(value):
            yield "pattern"
    elif column.kind != "boolean" and (column.minimum is not None or column.maximum is not None):
        number = as_number(column.kind, value)  # what the table and the compiled check hold
        if (column.minimum is not None and number < column.minimum) or (
            column.maximum is not None and number > column.maximum
        ):
            yield "range"


def missing(column: Column, *, at: int | None = None) -> Fault:
    """The fault of a row without that field."""
    message = f"{_place(at)}'{column.name}' is missing; give {WANTED[column.kind]}"
    return Fault(at, column.name, "missing", message + (" or null." if column.nullable else "."))


def unknown(schema: Schema, name: str, *, at: int | None = None) -> Fault:
    """The fault of a row with a field that is no feature."""
    message = f"{_place(at)}'{_cut(name)}' is not a feature"
    names = [c.name for c in schema.features]
    if name in schema.targets:
        message += " but the target; leave it out"
    elif name in schema.key:
        message += " but the key; leave it out"
    elif any(c.name == name for c in schema.columns):
        message += " but forbidden; leave it out"
    elif near := difflib.get_close_matches(name[:100], names, n=1):
        message += f"; did you mean '{near[0]}'?"
        return Fault(at, name, "unknown", message)
    else:
        message += "; leave it out"
    return Fault(at, name, "unknown", message + ".")


def is_null(kind: Kind, value: object) -> bool:
    """Whether the value counts as null in a column of that kind."""
    if value is None:
        return True
    return kind in ("integer", "float") and isinstance(value, float) and math.isnan(value)


def read_date(text: str) -> dt.date | None:
    """The date that the text says, None when it says none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def read_datetime(text: str) -> dt.datetime | None:
    """The time that the text says, in UTC; None when it says none or leaves the years 1 to 9999."""
    if not _DATETIME.fullmatch(text):
        return None
    try:
        return in_utc(dt.datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def in_utc(moment: dt.datetime) -> dt.datetime:
    """The same moment in UTC; without an offset it is UTC already."""
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _wrong(kind: Kind, value: object, *, bounded: bool) -> str | None:
    fits = True
    if kind == "integer":
        fits = _is_number(value) and not (isinstance(value, float) and not value.is_integer())
        if fits and bounded and abs(value) > EXACT:  # type: ignore[arg-type]
            return f"not {show(value)}, which is beyond ±2**53 and would lose digits"
    elif kind == "float":
        fits = _is_number(value)
        if fits and not _holds(value):
            return f"not {show(value)}, which no float64 can hold"
    elif kind == "boolean":
        fits = isinstance(value, bool)
    elif kind == "string":
        fits = isinstance(value, str)
    elif kind == "date":
        fits = (isinstance(value, str) and read_date(value) is not None) or (
            isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        )
    else:
        fits = isinstance(value, dt.datetime) or (isinstance(value, str) and read_datetime(value) is not None)
    return None if fits else f"not {show(value)}"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _holds(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except OverflowError:
        return False
    return True


def _bounds(column: Column, rule: Literal["range", "categories", "pattern"]) -> str:
    if rule == "pattern":
        return f"which does not match the declared pattern {_cut(column.pattern or '')}"
    if rule == "categories":
        listed = ", ".join(_cut(c) for c in (column.categories or ())[:10])
        more = len(column.categories or ()) - 10
        return f"none of the declared categories {listed}" + (f" and {more} more" if more > 0 else "")
    low = "" if column.minimum is None else f" from {bound(column, column.minimum)}"
    high = "" if column.maximum is None else f" to {bound(column, column.maximum)}"
    return f"outside of the declared range{low}{high}"


def bound(column: Column, value: float) -> str:
    """An end of the column's range as people write it."""
    try:
        if column.kind == "date":
            return (_EPOCH + dt.timedelta(days=value)).date().isoformat()
        if column.kind == "datetime":
            return (_EPOCH + dt.timedelta(microseconds=value)).isoformat()
    except OverflowError:
        pass
    return f"{value:g}"


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _shown(column: Column, value: object) -> str:
    """The value, but for that of a personal column."""
    if column.personal:
        return "a value not shown here"
    return "null" if is_null(column.kind, value) else show(value)


def show(value: object) -> str:
    """The value as a message names it, cut short."""
    if isinstance(value, str):
        return f"the text '{_cut(value)}'"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**40:
        return "an integer of more than 40 digits"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _place(at: int | None) -> str:
    return "" if at is None else f"Row {at}: "
