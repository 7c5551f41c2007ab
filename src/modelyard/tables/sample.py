"""A profile of a table that is larger than memory: edges from a sample of its rows, exact counts on them.

The sample are the distinct rows with the smallest content hashes and how often each came, a uniform
sample of the distinct rows that does not depend on order, pieces or machine. A table with fewer distinct
rows than the sample holds, and a column with at most 256 distinct values, are profiled as in memory.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Column, Schema
from modelyard.tables.gather import numbers
from modelyard.tables.infer import Seen
from modelyard.tables.profile import (
    BINS,
    LABEL,
    UNSEEN,
    count_labels,
    count_numbers,
    on_edges,
    on_labels,
)
from modelyard.tables.rowhash import Words

MOST = 2**16
"""Distinct rows that the sample keeps."""
_MANY_LABELS = 4096


class Sample:
    """Rows that stand for a table's; pieces may come in any order and from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._bound = np.uint64(2**64 - 1)
        self._hashes: Words = np.empty(0, dtype=np.uint64)
        self.counts: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """[n] how often each row came."""
        self.rows: pl.DataFrame | None = None

    def add(self, frame: pl.DataFrame, hashes: Words) -> None:
        """Take what is below the bound of a piece, whose rows' hashes [n] are uniform over 64 bits."""
        places = np.flatnonzero(hashes <= self._bound)
        found, first, counts = np.unique(hashes[places], return_index=True, return_counts=True)
        found, first, counts = found[: self._most], first[: self._most], counts[: self._most]
        rows = frame[places[first]]
        with self._lock:
            if self.rows is not None:
                rows = pl.concat([self.rows, rows])
                counts = np.concatenate([self.counts, counts])
                found, first, inverse = np.unique(
                    np.concatenate([self._hashes, found]), return_index=True, return_inverse=True
                )
                counts = np.bincount(inverse, weights=counts, minlength=found.size).astype(np.int64)
                found, first, counts = found[: self._most], first[: self._most], counts[: self._most]
                rows = rows[first]
            self._hashes, self.counts, self.rows = found, counts, rows
            if found.size == self._most:
                self._bound = found[-1]


def edges(sample: Sample, schema: Schema, seen: Mapping[str, Seen]) -> Profile:
    """A profile without rows, to be counted on: all columns of the schema, whatever their role."""
    assert sample.rows is not None, "a table has rows"
    columns = [_anchored(sample.rows[c.name], sample.counts, c, seen[c.name]) for c in schema.columns]
    return Profile(rows=0, columns=tuple(columns))


def count_frame(frame: pl.DataFrame, anchored: Profile, schema: Schema) -> Profile:
    """Count a piece of the table, in its storage types, on the edges of ``anchored``."""
    columns = []
    for column in anchored.columns:
        series = frame[column.name]
        if column.kind in ("string", "boolean"):
            columns.append(_count_texts(series, column))
        else:
            columns.append(count_numbers(numbers(series, schema.column(column.name)), column))
    return Profile(rows=frame.height, columns=tuple(columns))


def _anchored(rows: pl.Series, counts: NDArray[np.int64], column: Column, seen: Seen) -> ColumnProfile:
    name, kind = column.name, column.kind
    if kind == "boolean":
        return on_labels(name, kind, ("false", "true"))
    if kind == "string":
        if seen.distinct is not None:
            return on_labels(name, kind, [str(t) for t in seen.distinct if len(str(t)) <= LABEL][:BINS])
        often: Counter[str] = Counter()
        for label, count in zip(rows.to_list(), counts.tolist(), strict=True):
            if label is not None and len(label) <= LABEL:
                often[label] += count
        return on_labels(name, kind, sorted(often, key=lambda label: (-often[label], label))[:BINS])
    if seen.distinct is not None:
        return on_edges(name, kind, np.array([float(v) for v in seen.distinct], dtype=np.float64))
    values = numbers(rows, column)
    finite = np.isfinite(values)
    order = np.argsort(values[finite], kind="stable")
    values, weights = values[finite][order], np.cumsum(counts[finite][order])
    assert seen.low is not None
    assert seen.high is not None
    if not values.size:
        return on_edges(name, kind, np.array([seen.low, seen.high]))
    ranks = -(-np.arange(1, BINS + 1) * weights[-1] // BINS)
    chosen = values[np.searchsorted(weights, ranks)]
    return on_edges(name, kind, np.concatenate([chosen, [seen.high]]), low=seen.low)


def _count_texts(series: pl.Series, anchored: ColumnProfile) -> ColumnProfile:
    if series.dtype == pl.Boolean:
        yes = int(series.sum() or 0)
        nulls = series.null_count()
        told: dict[str | None, int] = {None: nulls, "true": yes, "false": series.len() - nulls - yes}
        return count_labels({label: n for label, n in told.items() if n}, anchored)
    counts = series.alias("label").value_counts(name="rows")
    if counts.height > _MANY_LABELS:
        return _count_many(counts, anchored)
    return count_labels(dict(counts.iter_rows()), anchored)


def _count_many(counts: pl.DataFrame, anchored: ColumnProfile) -> ColumnProfile:
    """Of the labels that are not listed only the first go through Python."""
    label = pl.col("label")
    listed = label.is_in(list(anchored.categories)).fill_null(True)
    others = counts.filter(~listed)
    named = others.filter(label.str.len_chars() <= LABEL).sort("label").head(UNSEEN)
    told = count_labels(dict([*counts.filter(listed).iter_rows(), *named.iter_rows()]), anchored)
    rest = int(others["rows"].sum()) - int(named["rows"].sum())
    return msgspec.structs.replace(told, rows=told.rows + rest, other=told.other + rest)
