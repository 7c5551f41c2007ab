"""The identity of a table's content.

Rows count as a multiset: the same rows in another order (another glob order, an export without
ORDER BY) are the same dataset. Files, storage types, chunks and library versions play no part. Rows are
put in the order of a 64-bit hash, and sha256 runs over the schema and the ordered columns, so that
the digest is as strong as sha256; two different rows that share a hash and swap places would merely
look like new content.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import polars as pl

from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.kinds import convert
from modelyard.tables.rowhash import row_hashes, text_parts


def digest(frame: pl.DataFrame, schema: Schema) -> str:
    """sha256 hex over the schema's names, kinds, roles and declared rules, and all rows.

    Columns of the frame beyond the schema (the split) count as well. -0.0 and 0.0, NaN and null differ;
    NaNs with different payloads do not.
    """
    extra = [
        Column(name=n, kind="string") for n in frame.columns if n not in {c.name for c in schema.columns}
    ]
    columns = [*schema.columns, *extra]
    series = [convert(frame[c.name], c) for c in columns]
    content = pl.DataFrame(series)
    order = np.argsort(row_hashes(content, content.columns, exact=True), kind="stable")
    state = hashlib.sha256(_head(columns, schema, frame.height))
    for column in columns:
        _add(state, content[column.name].gather(order), column.kind)
    return state.hexdigest()


def _head(columns: list[Column], schema: Schema, rows: int) -> bytes:
    listed = [[c.name, c.kind, _declared(c)] for c in columns]
    head = {"columns": listed, "target": schema.target, "key": schema.key, "rows": rows}
    return msgspec.json.encode(head, order="deterministic")


def _declared(column: Column) -> dict[str, object]:
    rules: dict[str, object] = {
        "nullable": column.nullable,
        "range": [column.minimum, column.maximum],
        "categories": column.categories,
    }
    return {rule: value for rule, value in rules.items() if rule in column.declared}


def _add(state: hashlib._Hash, series: pl.Series, kind: Kind) -> None:
    """Nulls as bytes, then the values: 8 little-endian bytes each, or lengths and UTF-8."""
    state.update(np.ascontiguousarray(series.is_null().to_numpy(), dtype=np.uint8).data)
    if kind == "string":
        starts, lengths, content = text_parts(series)
        state.update(lengths.astype("<i8").data)
        if lengths.size:
            state.update(content[starts[0] : starts[-1] + lengths[-1]].data)
        return
    if kind == "float":
        values = series.fill_null(0.0).to_numpy().copy()
        values[np.isnan(values)] = np.nan
        state.update(values.astype("<f8").data)
        return
    whole = series.to_physical().cast(pl.Int64).fill_null(0)
    state.update(whole.to_numpy().astype("<i8").data)
