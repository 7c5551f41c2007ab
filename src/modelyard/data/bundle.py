"""Small CSV files typed as one, where that says the same as one by one: a file costs much more than its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from modelyard.data.csv import Block
from modelyard.data.texts import is_plain
from modelyard.data.typed import ALSO, Known, Typed, type_block
from modelyard.errors import DataRefused
from modelyard.records.schema import Kind


def type_together(
    blocks: Sequence[Block],
    path: Path,
    names: list[str],
    kinds: Mapping[str, Kind | None],
    hints: Mapping[str, Kind],
) -> tuple[Typed, list[int]] | None:
    """All rows, and how many are of each block; None when the blocks had better be typed one by one.

    ``names`` are those of every block's header.
    """
    contents = [block.content for block in blocks]
    bare = [_bare(content, names, first=block.first) for content, block in zip(contents, blocks, strict=True)]
    bodies = [body for body in bare if body is not None]
    if len(bodies) < len(blocks):
        return None
    rows = [body.count(b"\n") for body in bodies]
    known = Known()
    try:
        found = type_block(Block(memoryview(b"".join(bodies)), False), path, names, kinds, hints, known)
    except (pa.ArrowInvalid, DataRefused):
        return None
    whole = len(found.columns) == len(kinds) and not found.unlike and found.rows == sum(rows)
    return (found, rows) if whole and not known.ways and _are_alike(found, kinds, hints, rows) else None


def _bare(content: memoryview | pa.Table, names: list[str], *, first: bool) -> bytes | None:
    """The records without the header, each ended by a line feed; None where line feeds do not tell them apart."""
    if isinstance(content, pa.Table):
        return None
    body = bytes(content)
    if first:
        head, _, body = body.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
        if head.removesuffix(b"\r") != ",".join(names).encode():
            return None
    if b'"' in body or body.count(b"\r") != body.count(b"\r\n"):
        return None
    return body if body.endswith(b"\n") or not body else body + b"\n"


def _are_alike(
    found: Typed, kinds: Mapping[str, Kind | None], hints: Mapping[str, Kind], rows: Sequence[int]
) -> bool:
    """Whether each block alone would have said of its columns' kinds what all say together."""
    starts = np.concatenate([[0], np.cumsum(rows)[:-1]])[np.array(rows) > 0]
    for name, kind in kinds.items():
        told = found.fits[name]
        if name in hints or not (told.values or told.marks):
            continue
        if told.marks or kind is None:
            return False
        if kind == "string":
            if not all(map(is_plain, _firsts(found.columns[name], starts))):
                return False
        elif told.kinds != ALSO[kind] or told.digits != (kind == "integer"):
            return False
    return True


def _firsts(texts: pl.Series, starts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    """The first text at or after each start."""
    if texts.null_count() == 0:
        return texts.gather(starts).to_list()
    filled = texts.is_not_null().arg_true().to_numpy()
    places = np.searchsorted(filled, starts)
    return texts.gather(filled[places[places < len(filled)]]).to_list()
