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
not in the schema are faults. Ranges and categories refuse only where a person declared them.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelyard.records.schema import Column, Kind, Rule, Schema

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
    is the broken rule; ``missing`` and ``unknown`` concern the field itself.
    """

    row: int | None
    field: str
    rule: Rule | Literal["missing", "unknown"]
    message: str


def faults(schema: Schema, row: Mapping[str, object], *, at: int | None = None) -> list[Fault]:
    """All faults of one row of features, in the schema's order, then unknown fields in the row's.

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
    return found


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
        return Fault(at, column.name, "kind", f"{where} must be {WANTED[column.kind]}, {wrong}.")
    rule = broken(column, value)
    if rule is None or rule not in column.declared:
        return None
    return Fault(at, column.name, rule, f"{where} is {show(value)}, {_bounds(column, rule)}.")


def broken(column: Column, value: object) -> Literal["range", "categories"] | None:
    """The range or the categories, declared or inferred, that a value of the right kind is outside of."""
    if column.kind in ("integer", "float") and isinstance(value, (int, float)):
        number = float(value)  # what the table and the compiled check hold
        if column.minimum is not None and number < column.minimum:
            return "range"
        if column.maximum is not None and number > column.maximum:
            return "range"
    if column.kind == "string" and column.categories is not None and value not in column.categories:
        return "categories"
    return None


def missing(column: Column, *, at: int | None = None) -> Fault:
    """The fault of a row without that field."""
    message = f"{_place(at)}'{column.name}' is missing; give {WANTED[column.kind]}"
    return Fault(at, column.name, "missing", message + (" or null." if column.nullable else "."))


def unknown(schema: Schema, name: str, *, at: int | None = None) -> Fault:
    """The fault of a row with a field that is no feature."""
    message = f"{_place(at)}'{_cut(name)}' is not a feature"
    names = [c.name for c in schema.features]
    if name == schema.target:
        message += " but the target; leave it out"
    elif name in schema.key:
        message += " but the key; leave it out"
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


def _bounds(column: Column, rule: Literal["range", "categories"]) -> str:
    if rule == "categories":
        listed = ", ".join(_cut(c) for c in (column.categories or ())[:10])
        more = len(column.categories or ()) - 10
        return f"none of the declared categories {listed}" + (f" and {more} more" if more > 0 else "")
    low = "" if column.minimum is None else f" from {column.minimum:g}"
    high = "" if column.maximum is None else f" to {column.maximum:g}"
    return f"outside of the declared range{low}{high}"


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
