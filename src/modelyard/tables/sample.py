"""A profile of a table that is larger than memory: edges from a sample of its rows, exact counts on them.

The sample are the distinct rows with the smallest content hashes and how often each came, a uniform
sample of the distinct rows that does not depend on order, pieces or machine. A table with fewer distinct
rows than the sample holds, and a column with at most 256 distinct values, are profiled as in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

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
_GLANCE = 4096
"""Rows that tell whether a column's labels are many."""


class Sample:
    """Rows that stand for a table's; pieces may come in any order and from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._bound = np.uint64(2**64 - 1)
        self._found: list[_Rows] = []

    def add(self, frame: pl.DataFrame, hashes: Words) -> None:
        """Take what is below the bound of a piece, whose rows' hashes [n] are uniform over 64 bits."""
        places = np.flatnonzero(hashes <= self._bound)
        found, first, counts = np.unique(hashes[places], return_index=True, return_counts=True)
        found, first, counts = found[: self._most], first[: self._most], counts[: self._most]
        rows = shortened(frame[places[first]])
        with self._lock:
            self._found.append(_Rows(found, counts, rows))
            if sum(some.hashes.size for some in self._found) >= self._most:
                self._settle()

    def whole(self) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        """The rows, and how often each came [n]."""
        with self._lock:
            self._settle()
        return self._found[0].rows, self._found[0].counts

    def _settle(self) -> None:
        """One place for all that were found; done seldom, since it moves all rows."""
        hashes = np.concatenate([some.hashes for some in self._found])
        found, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        weights = np.concatenate([some.counts for some in self._found])
        counts = np.bincount(inverse, weights=weights, minlength=found.size).astype(np.int64)
        rows = pl.concat([some.rows for some in self._found])[first[: self._most]]
        self._found = [_Rows(found[: self._most], counts[: self._most], rows)]
        if found.size >= self._most:
            self._bound = found[self._most - 1]


def shortened(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts longer than a label by their beginning and a hash, which tell them apart in less memory."""
    long = [s.name for s in frame if s.dtype == pl.String and (s.str.len_bytes() > LABEL).any()]
    if not long:
        return frame
    return frame.with_columns(
        [
            pl.when(pl.col(name).str.len_chars() > LABEL)
            .then(
                pl.concat_str(
                    pl.col(name).str.slice(0, LABEL),
                    pl.col(name).hash(seed=11).cast(pl.String).str.pad_start(20, "0"),
                )
            )
            .otherwise(pl.col(name))
            .alias(name)
            for name in long
        ]
    )


class _Rows(NamedTuple):
    hashes: Words
    counts: NDArray[np.int64]
    rows: pl.DataFrame


def edges(sample: Sample, schema: Schema, seen: Mapping[str, Seen]) -> Profile:
    """A profile without rows, to be counted on: all columns of the schema, whatever their role."""
    rows, counts = sample.whole()
    columns = [_anchored(rows[c.name], counts, c, seen[c.name]) for c in schema.columns]
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
        often = pl.DataFrame({"label": rows, "rows": counts}).filter(pl.col("label").str.len_chars() <= LABEL)
        often = (
            often.group_by("label").agg(pl.col("rows").sum()).sort("rows", "label", descending=[True, False])
        )
        return on_labels(name, kind, often["label"].head(BINS).to_list())
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
    series = series.alias("label")
    if series.head(_GLANCE).n_unique() > _GLANCE // 4:
        return _count_many(series, anchored)
    return count_labels(_counted(series), anchored)


def _counted(labels: pl.Series) -> dict[str | None, int]:
    return dict(labels.value_counts(name="rows").iter_rows())


def _count_many(series: pl.Series, anchored: ColumnProfile) -> ColumnProfile:
    """Where most labels are not listed: only what is, and the first of what is not, are counted by label."""
    wanted = pl.Series(list(anchored.categories), dtype=pl.String)
    listed = series.is_in(wanted.implode()).fill_null(True)
    others = series.filter(~listed)
    kept = others if (bound := _bound(others)) is None else others.filter(others <= bound)
    counted = kept.filter(kept.str.len_chars() <= LABEL).value_counts(name="rows")
    named: dict[str | None, int] = dict(counted.sort("label").head(UNSEEN).iter_rows())
    told = count_labels(_counted(series.filter(listed)) | named, anchored)
    rest = others.len() - sum(named.values())
    return msgspec.structs.replace(told, rows=told.rows + rest, other=told.other + rest)


def _bound(labels: pl.Series) -> str | None:
    """A label that at least the first ``UNSEEN`` are not beyond, from a glance at some."""
    some = labels.head(_GLANCE)
    first = some.filter(some.str.len_chars() <= LABEL).unique().sort()
    return str(first[UNSEEN - 1]) if first.len() >= UNSEEN else None
