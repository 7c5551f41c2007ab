"""What the texts of a CSV column stand for.

A column is the first of integer, float, boolean, date, datetime that every value of it fits, else
string. Only what can be written back is taken for a number: ``007`` and integers beyond 64 bits stay
texts. An empty field is null. ``NA``, ``N/A``, ``null``, ``NULL`` and ``None`` are null in columns of any kind but
string, where they are texts (Namibia's code is ``NA``); ``NaN`` is a float. Blanks around anything but
a text do not count.
"""

from __future__ import annotations

import polars as pl

from modelyard.records.schema import Kind
from modelyard.tables.kinds import read_dates, read_datetimes

ORDER: tuple[Kind, ...] = ("integer", "float", "boolean", "date", "datetime")

_NULLS = ("", "NA", "N/A", "null", "NULL", "None")
_INTEGER = r"^[+-]?(?:0|[1-9][0-9]{0,18})$"
_FLOAT = (
    r"^(?:[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?(?i:inf|infinity)|(?i:nan))$"
)
_DIGITS = r"^[+-]?[0-9]+$"
_SAMPLE = 1000


def typed(texts: pl.Series) -> pl.Series:
    """The column in the type of its kind; of type Null when it has no value at all."""
    if texts.null_count() == texts.len():
        return pl.Series(texts.name, [None] * texts.len(), dtype=pl.Null)
    values = _values(texts)
    if values.null_count() == values.len():
        return texts
    sample = values.head(_SAMPLE)
    for kind in ORDER:
        if _parsed(sample, kind) is None:
            continue
        if kind == "float" and sample.str.contains(_DIGITS).all() and values.str.contains(_DIGITS).all():
            return texts  # identifiers of 20 digits: a float would lose some
        if (series := _parsed(values, kind)) is not None:
            return series
    return texts


def read(texts: pl.Series, kind: Kind) -> pl.Series | None:
    """The column as that kind; None when a value is none of it, or when there is no value."""
    if kind == "string":
        return texts
    values = _values(texts)
    return None if values.null_count() == values.len() else _parsed(values, kind)


def first_unlike(texts: pl.Series, kind: Kind) -> int | None:
    """The index of the first value that is none of that kind."""
    values = _values(texts)
    unlike = (_parse(values, kind).is_null() & values.is_not_null()).arg_true()
    return int(unlike[0]) if unlike.len() else None


def _parsed(values: pl.Series, kind: Kind) -> pl.Series | None:
    series = _parse(values, kind)
    return series if series.null_count() == values.null_count() else None


def _values(texts: pl.Series) -> pl.Series:
    stripped = texts.str.strip_chars()
    return stripped.set(stripped.is_in(_NULLS).fill_null(False), None)


def _parse(values: pl.Series, kind: Kind) -> pl.Series:
    """Null where a value is none of that kind."""
    if kind == "integer":
        return _where(values, values.str.contains(_INTEGER)).cast(pl.Int64, strict=False)
    if kind == "float":
        return _where(values, values.str.contains(_FLOAT)).cast(pl.Float64, strict=False)
    if kind == "boolean":
        lower = values.str.to_lowercase()
        return _where(lower, lower.is_in(["true", "false"])) == "true"
    return read_dates(values) if kind == "date" else read_datetimes(values)


def _where(values: pl.Series, fits: pl.Series) -> pl.Series:
    return values.set(~fits.fill_null(False), None)
