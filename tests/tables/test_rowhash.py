"""Row hashes name versions and deal rows: what they are must never change."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelyard.tables.rowhash import exact_words

MASK = 2**64 - 1


def mixed(word: int) -> int:
    word = (word + 0x9E3779B97F4A7C15) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def hashed(text: str) -> int:
    """One text at a time, in plain Python."""
    content = text.encode()
    if len(content) > 64:
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    found = mixed(len(content))
    for at in range(0, len(content), 8):
        found = mixed(found ^ int.from_bytes(content[at : at + 8], "little"))
    return found


@given(st.lists(st.text(max_size=70) | st.text("ab\0", min_size=5, max_size=70)))
@example(["", "a" * 7, "a" * 8, "a" * 9, "a" * 63, "a" * 64, "a" * 65, "ä" * 32, "ä" * 33])
@settings(deadline=None)
def test_texts_hash_as_one_by_one(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    words, null = exact_words(series)
    assert null is None
    assert words.tolist() == [hashed(text) for text in texts]
    assert exact_words(series.slice(1))[0].tolist() == words.tolist()[1:]


def test_many_texts_hash_as_few() -> None:
    texts = [f"{n:0{n % 30}}" for n in range(100_000)]
    words, _ = exact_words(pl.Series(texts))
    for at in range(0, 100_000, 997):
        assert words[at] == hashed(texts[at])


@given(st.lists(st.none() | st.sampled_from(["", "a", "ä", "paediatrics", "x" * 70, "a\0"])))
def test_texts_of_which_all_are_known_hash_as_one_by_one(texts: list[str | None]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    words, null = exact_words(series)
    again, gone = exact_words(series, labels={text for text in texts if text is not None} | {"never seen"})
    where = np.zeros(len(texts), bool) if null is None else null
    assert (null is None) == (gone is None)
    assert again[~where].tolist() == words[~where].tolist()


@given(st.integers(1, 8), st.integers(1, 40), st.integers(0, 3))
def test_texts_of_one_length_hash_as_one_by_one(length: int, count: int, skipped: int) -> None:
    texts = [f"{n:0{length}}"[-length:] for n in range(count + skipped)]
    words, _ = exact_words(pl.Series(texts, dtype=pl.String).slice(skipped))
    assert words.tolist() == [hashed(text) for text in texts[skipped:]]
