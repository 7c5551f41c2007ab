"""What key, target and split ask of a whole table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelyard.data.extraction import Reading
from modelyard.data.piecework import Piece, values_of
from modelyard.errors import DataRefused
from modelyard.records.schema import Schema


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
    hashes = np.concatenate([piece.keys for piece in pieces])
    ordered = np.sort(hashes)
    same = ordered[1:] == ordered[:-1]
    extra = int(same.sum())
    if not extra:
        return
    repeated = np.flatnonzero(np.isin(hashes, np.unique(ordered[1:][same])))
    parts = [piece.part for piece in pieces]
    # Keys that only share a hash would be named here: among 10 million rows the odds are 1 in 400,000.
    values = values_of(parts, schema.key, int(repeated[0]))
    value = ", ".join(map(str, values))
    raise DataRefused(
        f"{reading.place.of(int(repeated[0]) + 1)}: the key '{', '.join(schema.key)}' is not unique: {value} "
        f"comes again, and {extra} row{'s' if extra > 1 else ''} in all repeat a key; "
        "drop them or take another key."
    )


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


def check_target(pieces: Sequence[Piece], reading: Reading[Piece], schema: Schema) -> None:
    name = schema.target
    if name is None:
        return
    if (found := _missing(pieces, name)) is not None:
        row, count = found
        if count == reading.rows:
            raise DataRefused(f"The target '{name}' has no value in any row; name another target.")
        raise DataRefused(
            f"{reading.place.of(row + 1)}: the target '{name}' is null "
            f"(in {count} of {reading.rows} rows); leave rows without an outcome out."
        )
    firsts = [piece.target for piece in pieces if piece.rows]
    if not any(differs or first != firsts[0][0] for first, differs in firsts):
        raise DataRefused(
            f"The target '{name}' is {firsts[0][0]} in all {reading.rows} rows; "
            "there is nothing to tell apart, so add rows or name another target."
        )


def check_sides(rows: int, held_back: int) -> None:
    if held_back in (0, rows):
        side = "test" if held_back == 0 else "train"
        raise DataRefused(
            f"No row of {rows} falls into the {side} split; add rows, or change the share or the seed of 'split'."
        )
