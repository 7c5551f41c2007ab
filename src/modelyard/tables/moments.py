"""Times written all in one way, ``2026-01-31T12:00:00`` with or without decimals and ``Z``, read fast.

Eight letters are one word of 64 bits and are held against ``0000-00-``, ``00T00:00`` and ``00:00:00`` at
once: what remains of a digit is 0 to 9, of a mark 0. Adding 0x76 to the one and 0x7F to the other sets a byte's
highest bit exactly where it is more (Lamport, 1975, "Multiple byte processing with full-word instructions").
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.tables.rowhash import PIECE, Words, text_parts

_SECONDS = 19
"""Length up to the seconds."""
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_HIGH = np.uint64(0x8080808080808080)


class _Shape(NamedTuple):
    """Eight letters: ``pattern``, and what is added to find other letters, or nothing where any will do."""

    place: int
    pattern: np.uint64
    added: np.uint64
    judged: np.uint64


def _shape(place: int, pattern: str, unjudged: int = 0) -> _Shape:
    added = bytes(0x76 if letter == "0" else 0x7F for letter in pattern)
    judged = bytes(unjudged) + bytes(8 - unjudged).replace(b"\0", b"\xff")
    words = [int.from_bytes(word, "little") for word in (pattern.encode(), added, judged)]
    return _Shape(place, *map(np.uint64, words))


_DATE = _shape(0, "0000-00-")
_CLOCK = {mark: _shape(8, f"00{chr(mark)}00:00") for mark in b"T "}
_END = _shape(11, "00:00:00", unjudged=5)


def read_uniform(texts: pl.Series) -> pl.Series | None:
    """Times in UTC; None when the texts are not all of one length and form, or one of them says no time."""
    known = texts.is_not_null()
    starts, lengths, content = text_parts(texts)
    filled = known.to_numpy()
    if not filled.any():
        return None
    length = int(lengths[filled.argmax()])
    if length < _SECONDS or length > _SECONDS + 8 or (lengths[filled] != length).any():
        return None
    begin, count = int(starts[0]), int(filled.sum())
    letters = content[begin : begin + length * count].reshape(-1, length)
    values = np.empty(count, dtype=np.int64)
    for at in range(0, count, PIECE):
        if not _read(letters[at : at + PIECE], values[at : at + PIECE]):
            return None
    moments = values
    if count < len(filled):
        moments = np.zeros(len(filled), dtype=np.int64)
        moments[filled] = values
    series = pl.Series(texts.name, moments).cast(pl.Datetime("us", "UTC"))
    return series if count == len(filled) else series.set(~known, None)


def _read(letters: NDArray[np.uint8], values: NDArray[np.int64]) -> bool:
    """Microseconds since 1970 from letters [n, length]; False when they are not all times."""
    clock = _CLOCK.get(int(letters[0, 10]))
    found = [_numbers(letters, shape) for shape in (_DATE, clock, _END) if shape]
    if any(words is None for words in found) or len(found) < 3:
        return False
    date, time, end = (words for words in found if words is not None)
    months = _at(date, 0) * 1200 + _at(date, 2) * 12 + _at(date, 5)
    day, hour, minute, second = _at(time, 0), _at(time, 3), _at(time, 6), _at(end, 6)
    month = _at(date, 5)
    if (month < 1).any() or (month > 12).any() or (months <= 12).any():
        return False
    lengths, begins = _months()
    if (day < 1).any() or (day > lengths[months]).any():
        return False
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any():
        return False
    seconds = (begins[months] + day) * 86_400 + hour * 3600 + minute * 60 + second
    decimals = _decimals(letters)
    if decimals is None:
        return False
    np.multiply(seconds, 1_000_000, out=values)
    values += decimals
    return True


def _numbers(letters: NDArray[np.uint8], shape: _Shape) -> Words | None:
    """Each byte the number that its letter and the next one write; None where letters have another shape."""
    words = np.ndarray(
        shape=len(letters), dtype="<u8", buffer=letters, offset=shape.place, strides=letters.strides[:1]
    )
    digits: Words = words ^ shape.pattern
    if (((digits + shape.added) | digits) & shape.judged & _HIGH).any():
        return None
    return digits * np.uint64(10) + (digits >> np.uint64(8))


def _at(numbers: Words, byte: int) -> NDArray[np.int64]:
    return ((numbers >> np.uint64(8 * byte)) & np.uint64(0xFF)).view(np.int64)


def _decimals(letters: NDArray[np.uint8]) -> NDArray[np.int64] | int | None:
    """Microseconds past the second; None when what follows the seconds says no time."""
    rest = letters[:, _SECONDS:]
    if rest.shape[1] and (rest[:, -1] == ord("Z")).all():
        rest = rest[:, :-1]
    if not rest.shape[1]:
        return 0
    digits = rest[:, 1:] - np.uint8(ord("0"))
    if not (rest[:, 0] == ord(".")).all() or not 1 <= digits.shape[1] <= 6 or (digits > 9).any():
        return None
    total = np.zeros(len(rest), dtype=np.int64)
    for at in range(6):
        total = total * 10 + (digits[:, at] if at < digits.shape[1] else 0)
    return total


@functools.cache
def _months() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By month since the year 0: its days, and days from 1970 to the day before it (Gregorian throughout)."""
    months = np.arange(10_000 * 12 + 13)
    year, month = (months - 1) // 12, (months - 1) % 12 + 1
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = _DAYS[month] + leap
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return lengths, begins - begins[1970 * 12 + 1] - 1
