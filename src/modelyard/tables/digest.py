"""The identity of a table's content.

Rows count as a multiset: the same rows in another order (another glob order, an export without
ORDER BY) are the same dataset. Files, storage types, chunks and library versions play no part, and the
digest of a table is put together from its pieces in any order, each in the memory of one piece.

A row becomes 128 bits: every value is mixed to 64 bits with its column's salt, and the columns are
added up twice, plainly and with weights. Four 64-bit words drawn from those are summed over the rows, modulo
2**64 each, and sha256 runs over the schema, the number of rows and the four sums. By accident two
tables that differ share a digest with a chance of about 2**-64. Against somebody who looks for two such
tables it promises nothing: what guards stored bytes is the sha256 of each file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
import polars as pl

from modelyard.records.schema import Column, Schema
from modelyard.tables.kinds import convert
from modelyard.tables.rowhash import PIECE, Words, exact_words, mix, mix_into, text_hash

FORM = 2
"""Of the definition above; 1 was sha256 over the rows in the order of a hash."""

_WEIGHT = np.uint64(0x9FB21C651E98DF25)
_SALTS = np.array(
    [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89], dtype=np.uint64
)


def digest(frame: pl.DataFrame, schema: Schema) -> str:
    """sha256 hex over the schema's names, kinds, roles and declared rules, and all rows.

    Columns of the frame beyond the schema (the split) count as well. -0.0 and 0.0, NaN and null differ;
    NaNs with different payloads do not.
    """
    columns = counted(schema, frame.columns)
    return seal(schema, columns, rows=frame.height, sums=[sums(frame, columns)])


def counted(schema: Schema, names: Iterable[str]) -> tuple[Column, ...]:
    """The columns that a digest covers: the schema's, then others of these names, as texts."""
    known = {c.name for c in schema.columns}
    return (*schema.columns, *(Column(name=n, kind="string") for n in names if n not in known))


def sums(frame: pl.DataFrame, columns: Sequence[Column]) -> Words:
    """[4] what these rows add to a digest over those columns."""
    words, _ = row_words(frame, columns)
    return words


def row_words(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[Words, Words]:
    """What ``sums`` gives, and the rows' own numbers [n], uniform over 0 to 2**64 - 1 (equal rows, equal numbers)."""
    total, words, _ = content_words(frame, columns, apart=())
    return total, words


def content_words(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    *,
    apart: Collection[str],
    labels: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> tuple[Words, Words, Words]:
    """As ``row_words``, and numbers [n] of the rows without the columns ``apart``, as good as those.

    ``labels`` are all texts of columns of which they are known, and save work.
    """
    plain = np.zeros(frame.height, dtype=np.uint64)
    weighted = np.zeros(frame.height, dtype=np.uint64)
    content = np.zeros(frame.height, dtype=np.uint64)
    for column in columns:
        salt = np.uint64(text_hash(column.name.encode()))
        words, null = exact_words(convert(frame[column.name], column), labels=labels.get(column.name, ()))
        absent = mix(np.full(1, ~salt))[0]
        for start in range(0, frame.height, PIECE):
            some = slice(start, start + PIECE)
            piece = words[some] ^ salt
            mix_into(piece)
            if null is not None:
                piece[null[some]] = absent
            plain[some] += piece
            weighted[some] *= _WEIGHT
            weighted[some] += piece
            if column.name in apart:
                content[some] -= piece
    total = np.zeros(4, dtype=np.uint64)
    for start in range(0, frame.height, PIECE):
        some = slice(start, start + PIECE)
        one, two = plain[some], weighted[some]
        content[some] += one
        mix_into(content[some])
        mix_into(two)
        for at, base in enumerate((one, two, one + two, one ^ (two << np.uint64(1)))):
            drawn = base ^ _SALTS[at]
            mix_into(drawn)
            total[at : at + 1] += drawn.sum(keepdims=True)
    return total, weighted, content


def seal(schema: Schema, columns: Sequence[Column], *, rows: int, sums: Iterable[Words]) -> str:
    """The digest of a table from what its pieces gave."""
    listed = [[c.name, c.kind, _declared(c)] for c in columns]
    head = {"form": FORM, "columns": listed, "target": schema.target, "key": schema.key, "rows": rows}
    if schema.labels:  # what was digested before there were any keeps its digest
        head["labels"] = schema.labels
    state = hashlib.sha256(msgspec.json.encode(head, order="deterministic"))
    state.update(added(*sums).astype("<u8").tobytes())
    return state.hexdigest()


def added(*sums: Words) -> Words:
    """[4] what the rows of several pieces add together."""
    total = np.zeros(4, dtype=np.uint64)
    for piece in sums:
        total += piece
    return total


def _declared(column: Column) -> dict[str, object]:
    rules: dict[str, object] = {
        "nullable": column.nullable,
        "range": [column.minimum, column.maximum],
        "categories": column.categories,
    }
    return {rule: value for rule, value in rules.items() if rule in column.declared}
