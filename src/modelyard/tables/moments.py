"""Times written all in one way, ``2026-01-31T12:00:00`` with or without decimals and ``Z``, read fast."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.tables.rowhash import text_parts

_SECONDS = 19
"""Length up to the seconds."""
_MARKS = {4: b"-", 7: b"-", 10: b"T ", 13: b":", 16: b":"}
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


def read_uniform(texts: pl.Series) -> pl.Series | None:
    """Times in UTC; None when the texts are not all of one length, or one of them says no time."""
    known = texts.is_not_null()
    starts, lengths, content = text_parts(texts)
    filled = known.to_numpy()
    if not filled.any():
        return None
    length = int(lengths[filled.argmax()])
    if length < _SECONDS or length > _SECONDS + 8 or (lengths[filled] != length).any():
        return None
    begin = int(starts[0])
    letters = np.ascontiguousarray(content[begin : begin + length * int(filled.sum())].reshape(-1, length).T)
    values = _microseconds(letters)
    if values is None:
        return None
    moments = np.zeros(len(filled), dtype=np.int64)
    moments[filled] = values
    series = pl.Series(texts.name, moments).cast(pl.Datetime("us", "UTC"))
    return series if filled.all() else series.set(~known, None)


def _microseconds(letters: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """[n] since 1970 from letters [length, n]; None when they are not all times."""
    for at, allowed in _MARKS.items():
        if not np.isin(letters[at], np.frombuffer(allowed, dtype=np.uint8)).all():
            return None
    end = len(letters)
    if (letters[-1] == ord("Z")).all():
        end -= 1
    if end > _SECONDS and not ((letters[_SECONDS] == ord(".")).all() and 1 < end - _SECONDS <= 7):
        return None
    digits = letters - np.uint8(ord("0"))
    places = [at for at in range(end) if at not in _MARKS and at != _SECONDS]
    if any((digits[at] > 9).any() for at in places):
        return None

    def number(first: int, last: int) -> NDArray[np.int64]:
        total = np.zeros(digits.shape[1], dtype=np.int64)
        for at in range(first, last):
            total = total * 10 + digits[at]
        return total

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    if (month < 1).any() or (month > 12).any() or (year < 1).any():
        return None
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if (day < 1).any() or (day > _DAYS[month] + leap).any():
        return None
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any():
        return None
    seconds = _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    decimals = number(_SECONDS + 1, end) * 10 ** (7 - (end - _SECONDS)) if end > _SECONDS else 0
    return seconds * 1_000_000 + decimals


def _days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 in the proleptic Gregorian calendar, counting years from March."""
    year = year - (month <= 2)
    since_march = (month + 9) % 12
    before = 365 * year + year // 4 - year // 100 + year // 400
    return before + (153 * since_march + 2) // 5 + day - 1 - 719_468
