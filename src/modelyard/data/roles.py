"""What key, target and split ask of a whole table."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard.data.cores import in_order
from modelyard.data.extraction import Reading
from modelyard.data.piecework import Piece, rows_of
from modelyard.errors import DataRefused
from modelyard.records.dataset import Split
from modelyard.records.schema import Schema
from modelyard.tables.labels import refuse, stranger
from modelyard.tables.rowhash import Words


def check_key(pieces: Sequence[Piece], reading: Reading[Piece], schema: Schema) -> None:
    if not schema.key:
        return
    for name in schema.key:
        if (found := _missing(pieces, name)) is not None:
            row, count = found
            raise DataRefused(
                f"{reading.place.of(row + 1)}: the key '{name}' is null "
                f"(in {count} of {reading.rows} rows); give every row its key."
            )
    suspects = _suspects(np.concatenate([piece.keys for piece in pieces]))
    if not suspects.size:
        return
    keys = rows_of([piece.part for piece in pieces], schema.key, suspects)
    again = keys.is_duplicated()
    if not again.any():
        return
    repeated = keys.filter(again)
    extra = repeated.height - repeated.n_unique()
    first = int(again.arg_true()[0])
    value = ", ".join(map(str, keys.row(first)))
    raise DataRefused(
        f"{reading.place.of(int(suspects[first]) + 1)}: the key '{', '.join(schema.key)}' is not unique: {value} "
        f"comes again, and {'more than ' if suspects.size == _MOST_SUSPECTS else ''}"
        f"{extra} row{'s' if extra > 1 else ''} in all repeat a key; "
        "drop them or take another key."
    )


_MOST_SUSPECTS = 2**20
"""Of so many rows that share a hash of 64 bits with another, some are equal."""


def _suspects(hashes: Words) -> NDArray[np.int64]:
    """Rows, in order, whose hash comes more than once: all, or of the first hashes."""
    if not any(in_order(range(4), lambda quarter: _repeats(hashes, quarter))):
        return np.empty(0, np.int64)
    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    shared = np.append(same, False) | np.append(False, same)
    return np.sort(order[shared][:_MOST_SUSPECTS])


def _repeats(hashes: Words, quarter: int) -> bool:
    """Of those in one quarter of all numbers; sorted, which is much quicker than the order itself."""
    low, high = (np.uint64(2**62 * at - (at > quarter)) for at in (quarter, quarter + 1))
    ordered = np.sort(hashes[(low <= hashes) & (hashes <= high)])
    return bool((ordered[1:] == ordered[:-1]).any())


def _missing(pieces: Sequence[Piece], name: str) -> tuple[int, int] | None:
    """The first row without a value, and how many are."""
    first, before = None, 0
    for piece in pieces:
        if first is None and name in piece.missing:
            first = before + piece.missing[name]
        before += piece.rows
    if first is None:
        return None
    return first, sum(piece.seen[name].nulls + piece.seen[name].nans for piece in pieces)


def check_target(
    pieces: Sequence[Piece], reading: Reading[Piece], schema: Schema, *, varies: bool = False
) -> None:
    """``varies``: other rows of the table have several values."""
    for name in schema.targets:
        _check_target(name, pieces, reading, varies=varies)
    for name in schema.labels:
        seen = functools.reduce(operator.add, (piece.seen[name] for piece in pieces))
        if what := stranger(schema.column(name), seen):
            raise refuse(name, what)


def _check_target(name: str, pieces: Sequence[Piece], reading: Reading[Piece], *, varies: bool) -> None:
    if (found := _missing(pieces, name)) is not None:
        row, count = found
        if count == reading.rows and not varies:
            raise DataRefused(f"The target '{name}' has no value in any row; name another target.")
        raise DataRefused(
            f"{reading.place.of(row + 1)}: the target '{name}' is null "
            f"(in {count} of {reading.rows} rows); leave rows without an outcome out."
        )
    firsts = [piece.target[name] for piece in pieces if piece.rows]
    if not varies and not any(differs or first != firsts[0][0] for first, differs in firsts):
        raise DataRefused(
            f"The target '{name}' is {firsts[0][0]} in all {reading.rows} rows; "
            "there is nothing to tell apart, so add rows or name another target."
        )


def check_sides(rows: int, held_back: int, *, schema: Schema, split: Split, pieces: Sequence[Piece]) -> None:
    """``pieces`` are of rows that are new. Raises ``DataRefused`` when all rows stand on one side."""
    if held_back not in (0, rows):
        return
    side = "test" if held_back == 0 else "train"
    raise DataRefused(f"No row of {rows} falls into the {side} split: {_dealt(schema, split, pieces)}.")


def _dealt(schema: Schema, split: Split, pieces: Sequence[Piece]) -> str:
    """How rows are dealt, and what would deal them otherwise."""
    if split.column:
        value = "test" if split.test_value is None else split.test_value
        return f"rows that hold {value!r} in '{split.column}' are held back; mend the source or 'test_value'"
    if split.time:
        return f"rows from {split.after} on in '{split.time}' are held back; change 'after', or leave it out"
    if split.holdout:
        return "rows whose key is in the 'holdout' file are held back; are both of the same dataset?"
    if split.group:
        return (
            f"rows of one {', '.join(split.group)} stand together, so there may be too few of them; add rows, "
            "change 'test' or 'seed', or leave 'group' out"
        )
    if schema.key:
        return "they are dealt by a hash of their key; add rows, or change 'test' or 'seed' of 'split'"
    kinds = np.unique(np.concatenate([piece.contents.hashes for piece in pieces])).size
    return (
        "without a 'key' they are dealt by their content, and rows that are equal in all features stand together "
        f"({kinds:,} of them differ); set 'key' to what tells rows apart, add rows, or change 'test' or 'seed' of 'split'"
    )
