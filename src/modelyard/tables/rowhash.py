"""A 64-bit number for a row's content, the same on any machine and with any Polars.

Not cryptographic: it deals rows to splits and orders them. A value's number does not depend on its
storage: an integer and the float equal to it agree, so that a column may widen without moving a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_NULL = np.uint64(0x6E756C6C6E756C6C)
PIECE = 2**15
"""Rows mixed at a time, so that the words stay in a core's own cache."""
_SHORT = 64
"""Longest text, in bytes, that is hashed word by word over the whole column at once."""


def row_hashes(frame: pl.DataFrame, columns: Sequence[str], *, seed: int = 0) -> Words:
    """[n] hashes over the named columns, uniform over 0 to 2**64 - 1, whatever the columns' order.

    NaN hashes as null and -0.0 as 0.0.
    """
    total = np.zeros(frame.height, dtype=np.uint64)
    for name in columns:
        salt = np.uint64(text_hash(name.encode()))
        total += mix(value_hashes(frame[name]) ^ salt)
    return mix(total ^ mix(np.full(1, seed % 2**64, dtype=np.uint64)))


def value_hashes(series: pl.Series) -> Words:
    """[n] hashes of one column's values."""
    null = series.is_null().to_numpy()
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype == pl.String:
        hashes = _text_hashes(series)
    elif series.dtype.is_float():
        hashes, null = _float_hashes(series, null)
    elif series.dtype.is_integer():
        hashes = _integer_hashes(series.cast(pl.Int64).fill_null(0).to_numpy())
    elif series.dtype == pl.Null:
        return np.full(series.len(), _NULL)
    else:
        hashes = series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)
    return np.where(null, _NULL, mix(hashes))


def exact_words(series: pl.Series, *, labels: Collection[str] = ()) -> tuple[Words, NDArray[np.bool_] | None]:
    """[n] words that tell a column's values apart to the last bit, and where it is null (None: nowhere).

    The series is in its kind's storage type. Texts are hashed to 64 bits, all others kept as they are;
    all NaNs are one. What stands at a null is no matter. ``labels`` are all texts of the column, where they are known.
    """
    null = series.is_null().to_numpy() if series.null_count() else None
    if series.dtype == pl.String:
        return (_label_hashes(series, labels) if labels else _text_hashes(series)), null
    if series.dtype == pl.Float64:
        values = series.fill_null(0.0).to_numpy()
        if (nan := np.isnan(values)).any():
            values = np.where(nan, np.nan, values)
        return values.view(np.uint64), null
    return series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64), null


def mix(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit moves every output bit."""
    mixed = words.copy()
    mix_into(mixed)
    return mixed


def mix_into(words: Words) -> None:
    """As ``mix``, in place."""
    words += np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)


def text_parts(series: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Starts [n], lengths [n] in bytes and the UTF-8 bytes of a string column; nulls are empty."""
    array = series.fill_null("").rechunk().to_arrow()
    _, offsets, content = array.buffers()
    places = np.frombuffer(offsets, dtype=np.int64, count=len(array) + array.offset + 1)[array.offset :]
    content = np.zeros(0, np.uint8) if content is None else np.frombuffer(content, dtype=np.uint8)
    return places[:-1], np.diff(places), content


def _integer_hashes(values: NDArray[np.int64]) -> Words:
    floats = values.astype(np.float64)
    if values.size and values.min() >= -(2**53) and values.max() <= 2**53:
        return floats.view(np.uint64)
    # 2**63 itself is the one float in range that int64 cannot take back.
    safe = np.abs(floats) < 2.0**63
    held = safe & (np.where(safe, floats, 0.0).astype(np.int64) == values)
    return np.where(held, floats.view(np.uint64), mix(values.view(np.uint64)))


def _float_hashes(series: pl.Series, null: NDArray[np.bool_]) -> tuple[Words, NDArray[np.bool_]]:
    values = series.cast(pl.Float64).fill_null(0.0).to_numpy().copy()
    nan = np.isnan(values)
    values[nan] = np.nan
    values += 0.0  # -0.0 becomes 0.0
    return values.view(np.uint64), null | nan


def _label_hashes(series: pl.Series, labels: Collection[str]) -> Words:
    """Few texts are hashed once each."""
    listed = pl.Series(sorted(labels), dtype=pl.String)
    places = series.cast(pl.Enum(listed)).to_physical().fill_null(0).to_numpy()
    return np.take(_text_hashes(listed), places)


def _text_hashes(series: pl.Series) -> Words:
    starts, lengths, content = text_parts(series)
    if lengths.size and 0 < (length := int(lengths[0])) <= 8 and (lengths == length).all():
        return _hash_alike(content[int(starts[0]) :], length, lengths.size)
    padded = np.empty(content.size + 8, dtype=np.uint8)
    padded[: content.size] = content
    padded[content.size :] = 0
    words: Words = np.ndarray(shape=(content.size + 1,), dtype="<u8", buffer=padded, strides=(1,))
    hashes = np.empty(len(lengths), dtype=np.uint64)
    for at in range(0, len(lengths), PIECE):
        some = slice(at, at + PIECE)
        _hash_short(words, starts[some], lengths[some], hashes[some])
    for row in np.flatnonzero(lengths > _SHORT):
        start = starts[row]
        hashes[row] = text_hash(content[start : start + lengths[row]].tobytes())
    return hashes


def _hash_alike(content: NDArray[np.uint8], length: int, count: int) -> Words:
    """As ``_hash_short`` of ``count`` texts of one length, at most eight bytes, that stand one after the other."""
    whole = min(count, max(0, (content.size - 8) // length + 1))
    rest = np.concatenate([content[whole * length : count * length], np.zeros(8, np.uint8)])
    hashes = np.empty(count, dtype=np.uint64)
    for some, letters in ((slice(whole), content), (slice(whole, None), rest)):
        hashes[some] = np.ndarray(hashes[some].shape, dtype="<u8", buffer=letters, strides=(length,))
    hashes &= _KEPT[length]
    hashes ^= _LENGTHS[length]
    for at in range(0, count, PIECE):
        mix_into(hashes[at : at + PIECE])
    return hashes


def _hash_short(words: Words, starts: NDArray[np.int64], lengths: NDArray[np.int64], hashes: Words) -> None:
    """Into ``hashes``: the length mixed, then with each eight bytes; what is not short is left to others."""
    np.take(_LENGTHS, lengths, mode="clip", out=hashes)
    first = words[starts]
    first &= np.take(_KEPT, lengths, mode="clip")
    first ^= hashes
    mix_into(first)
    np.copyto(hashes, first, where=lengths > 0)
    read = 8
    rows = np.flatnonzero((lengths > read) & (lengths <= _SHORT))
    while rows.size:
        part = words[starts[rows] + read]
        part &= np.take(_KEPT, lengths[rows] - read, mode="clip")
        part ^= hashes[rows]
        mix_into(part)
        hashes[rows] = part
        read += 8
        rows = rows[lengths[rows] > read]


def text_hash(content: bytes) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


_LENGTHS = mix(np.arange(_SHORT + 1, dtype=np.uint64))
_KEPT = np.array([2 ** (8 * n) - 1 for n in range(9)], dtype=np.uint64)
"""Masks of the first n bytes of a word."""
