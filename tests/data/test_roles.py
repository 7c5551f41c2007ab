"""Keys that share a hash and are not the same, made by running the hash backwards."""

from __future__ import annotations

import struct
from pathlib import Path

import polars as pl
import pytest

from modelyard.data import Prepared, prepare
from modelyard.errors import DataRefused
from modelyard.settings import DataSettings, SplitSettings
from modelyard.tables.rowhash import mix, row_hashes, text_hash

WORD = 2**64
COLUMNS = ("a", "b")


def unmixed(word: int) -> int:
    """The inverse of ``rowhash.mix``."""
    word ^= (word >> 31) ^ (word >> 62)
    word = word * pow(0x94D049BB133111EB, -1, WORD) % WORD
    word ^= (word >> 27) ^ (word >> 54)
    word = word * pow(0xBF58476D1CE4E5B9, -1, WORD) % WORD
    word ^= (word >> 30) ^ (word >> 60)
    return (word - 0x9E3779B97F4A7C15) % WORD


def mixed(word: int) -> int:
    import numpy as np

    return int(mix(np.array([word], dtype=np.uint64))[0])


def added(name: str, value: float) -> int:
    """What a column adds to its row's hash."""
    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
    return mixed(mixed(bits) ^ text_hash(name.encode()))


def partner(a: float, b: float, other: float) -> float:
    """The ``b`` with which ``other`` has the hash of ``a`` and ``b``."""
    wanted = (added("a", a) + added("b", b) - added("a", other)) % WORD
    bits = unmixed(unmixed(wanted) ^ text_hash(b"b"))
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def collided(rows: int = 100) -> pl.DataFrame:
    """Rows in pairs that share a hash over ``a`` and ``b`` and nothing else."""
    first = [(n + 0.5, n / 8) for n in range(rows // 2)]
    second = [(-a, partner(a, b, -a)) for a, b in first]
    found = pl.DataFrame([*first, *second], schema=COLUMNS, orient="row")
    return found.with_columns(
        pl.Series("age", range(rows)), pl.Series("ill", [("yes", "no")[n % 3 == 0] for n in range(rows)])
    )


def prepared(folder: Path, frame: pl.DataFrame) -> Prepared:
    frame.write_parquet(folder / "a.parquet")
    settings = DataSettings(
        source="a.parquet", target="ill", key=COLUMNS, split=SplitSettings(test=0.3, seed=7)
    )
    return prepare(settings, folder, previous=None)


def test_keys_that_only_share_a_hash_are_taken(tmp_path: Path) -> None:
    frame = collided()
    hashes = row_hashes(frame, COLUMNS)
    assert len(set(hashes.tolist())) == 50, "the test makes no collisions any more"
    assert prepared(tmp_path, frame).rows == 100


def test_of_keys_that_share_a_hash_only_equal_ones_are_counted(tmp_path: Path) -> None:
    frame = collided()
    again = pl.concat([frame, frame[60:62], frame[60:61]])
    with pytest.raises(
        DataRefused, match=r"row 61: the key 'a, b' is not unique: .* comes again, and 3 rows"
    ):
        prepared(tmp_path, again)
