"""Rows drawn from a window: those of the least numbers that a hash deals out, however the rows are split.

The number is of a row's writer and its place in that writer's log, so that it never changes, and which rows are drawn
depends neither on files nor on the order in which they are read: of what several files drew, the least numbers again are
what all their rows together would have drawn.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from modelyard.tables.rowhash import mix, text_hash

PRIORITY = "\0priority"
_ALL = 2**64 - 1


class Draw:
    """At most ``most`` of the rows that are added; without it all of them."""

    def __init__(self, most: int | None) -> None:
        self._most, self._limit = most, _ALL
        self._parts: list[pl.DataFrame] = []
        self._held = 0

    def add(self, rows: pl.DataFrame) -> None:
        if PRIORITY not in rows.columns:
            rows = prioritised(rows)
        if self._limit < _ALL:
            rows = rows.filter(pl.col(PRIORITY) <= self._limit)
        self._parts.append(rows)
        self._held += rows.height
        if self._most is not None and self._held > 1.5 * self._most:
            self._cut(self._most)

    def drawn(self) -> list[pl.DataFrame]:
        """Parts, of which each has rows of one shape; their numbers are in ``PRIORITY``."""
        if self._most is not None:
            self._cut(self._most)
        return _joined(self._parts)

    @property
    def limit(self) -> int:
        """All rows that were added of at most this number are drawn."""
        return self._limit

    def _cut(self, most: int) -> None:
        if self._held <= most:
            return
        numbers = np.concatenate([part[PRIORITY].to_numpy() for part in self._parts])
        self._limit = int(np.partition(numbers, most - 1)[most - 1])
        kept = [part.filter(pl.col(PRIORITY) <= self._limit) for part in self._parts]
        self._parts = _joined([part for part in kept if part.height])
        self._held = sum(part.height for part in self._parts)


def prioritised(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their numbers, which tell as much as writer and place do."""
    writers = rows["writer"].unique().to_list()
    salts = {writer: text_hash(str(writer).encode()) for writer in writers}
    salt = rows["writer"].replace_strict(salts, return_dtype=pl.UInt64).to_numpy()
    words = mix(rows["sequence"].to_numpy().astype(np.uint64) ^ salt)
    return rows.drop("writer", "sequence").with_columns(pl.Series(PRIORITY, words))


def _joined(parts: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """As few as there are shapes: many small ones cost more than their rows."""
    alike: dict[tuple[object, ...], list[pl.DataFrame]] = {}
    for part in parts:
        alike.setdefault(tuple(part.schema.items()), []).append(part)
    return [pl.concat(some) for some in alike.values()]
