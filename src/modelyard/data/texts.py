"""What the texts of a CSV column stand for.

A column is the first of integer, float, boolean, date, datetime that every value of it fits, else
string. Only what can be written back is taken for a number: ``007`` and integers beyond 64 bits stay
texts. An empty field is null. ``NA``, ``N/A``, ``null``, ``NULL`` and ``None`` are null in columns of any kind but
string, where they are texts (Namibia's code is ``NA``); ``NaN`` is a float. Blanks around anything but
a text do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from modelyard.records.schema import Kind
from modelyard.tables.kinds import read_dates, read_datetimes

ORDER: tuple[Kind, ...] = ("integer", "float", "boolean", "date", "datetime")
NULLS = ("", "NA", "N/A", "null", "NULL", "None")

_INTEGER = r"^[+-]?(?:0|[1-9][0-9]{0,18})$"
_FLOAT = (
    r"^(?:[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?(?i:inf|infinity)|(?i:nan))$"
)
_DIGITS = r"^[+-]?[0-9]+$"
_SAMPLES = (1, 1000)
_WORDS = {"na", "n/a", "null", "none", "nan", "true", "false", "inf", "infinity"}
"""What begins with a letter and is more than a text."""


@dataclass(frozen=True)
class Fits:
    """What some rows of a column say about its kind; rows add up in any order.

    ``kinds`` are those that every value fits, ``digits`` says that all are plain digits, ``marks``
    that there is an ``NA`` or its like.
    """

    kinds: frozenset[Kind] = frozenset(ORDER)
    digits: bool = True
    values: bool = False
    marks: bool = False

    def __add__(self, other: Fits) -> Fits:
        if self is NOTHING:
            return other
        return Fits(
            self.kinds & other.kinds,
            self.digits and other.digits,
            self.values or other.values,
            self.marks or other.marks,
        )

    @property
    def kind(self) -> Kind | None:
        """None when there was no text at all."""
        if not self.values:
            return "string" if self.marks else None
        for kind in ORDER:
            if kind in self.kinds:
                # Identifiers of 20 digits: a float would lose some.
                return "string" if kind == "float" and self.digits else kind
        return "string"


NOTHING = Fits()
"""What no rows say."""


def fits(texts: pl.Series) -> Fits:
    """What the texts say; cheap where the first of them fit nothing."""
    filled = texts.drop_nulls()
    if filled.len() and is_plain(filled[0]):
        return Fits(frozenset(), digits=False, values=True)
    values = _values(filled).drop_nulls()
    marks = values.len() < filled.len()
    if not values.len():
        return Fits(marks=marks)
    kinds = frozenset(ORDER)
    for sample in (*(values.head(n) for n in _SAMPLES if n < values.len()), values):
        kinds = frozenset(kind for kind in kinds if _parsed(sample, kind) is not None)
        if not kinds:
            return Fits(kinds, digits=False, values=True, marks=marks)
    digits = "float" in kinds and bool(values.str.contains(_DIGITS).all())
    return Fits(kinds, digits, values=True, marks=marks)


def is_plain(text: str) -> bool:
    """Whether it fits no kind but string; told without a frame, which pays for small files."""
    bare = text.strip()
    return bare[:1].isascii() and bare[:1].isalpha() and bare.lower() not in _WORDS


def read(texts: pl.Series, kind: Kind) -> pl.Series | None:
    """The column as that kind; None when a value is none of it."""
    return texts if kind == "string" else _parsed(_values(texts), kind)


def read_some(texts: pl.Series, kind: Kind) -> pl.Series:
    """The column as that kind, null where a value is none of it."""
    return _parse(_values(texts), kind)


def unlike(texts: pl.Series, kind: Kind) -> pl.Series:
    """The indices of the values that are none of that kind."""
    values = _values(texts)
    return (_parse(values, kind).is_null() & values.is_not_null()).arg_true()


def beyond_integers(texts: pl.Series) -> pl.Series:
    """The indices of plain digits that no integer of 64 bits is, and a float would lose some of."""
    values = _values(texts)
    return (values.str.contains(_DIGITS) & _parse(values, "integer").is_null()).arg_true()


def _parsed(values: pl.Series, kind: Kind) -> pl.Series | None:
    series = _parse(values, kind)
    return series if series.null_count() == values.null_count() else None


def _values(texts: pl.Series) -> pl.Series:
    stripped = texts.str.strip_chars()
    return stripped.set(stripped.is_in(NULLS).fill_null(False), None)


def _parse(values: pl.Series, kind: Kind) -> pl.Series:
    """Null where a value is none of that kind."""
    if kind == "integer":
        return _where(values, values.str.contains(_INTEGER)).cast(pl.Int64, strict=False)
    if kind == "float":
        numbers = _where(values, values.str.contains(_FLOAT)).cast(pl.Float64, strict=False)
        infinite = numbers.is_infinite().fill_null(False)
        # A number beyond any float is none; an infinity is written as one.
        beyond = infinite & ~values.str.contains("[iI]") if infinite.any() else infinite
        return numbers.set(beyond, None)
    if kind == "boolean":
        lower = values.str.to_lowercase()
        return _where(lower, lower.is_in(["true", "false"])) == "true"
    return read_dates(values) if kind == "date" else read_datetimes(values)


def _where(values: pl.Series, fits: pl.Series) -> pl.Series:
    return values.set(~fits.fill_null(False), None)
