"""A version with a few rows more, without reading the old ones again.

A large table that only gains rows keeps its files (as hard links in the new version), its share of the
digest and its counts; findings are those of the last time that it was read whole. That is done again once it
has grown by a tenth, or ``MOST`` times, and whenever anything else than rows is new. Edges of a profile stay,
with one more beyond the new extremes; labels that are new are listed while all are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from modelyard.data.extraction import Kinds
from modelyard.records.dataset import DataFinding, DatasetVersion, Intake, Whole
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Schema
from modelyard.tables.delta import Part
from modelyard.tables.infer import MOST_DISTINCT, Seen
from modelyard.tables.labels import told
from modelyard.tables.profile import LABEL, merge, on_edges, on_labels
from modelyard.tables.rowhash import Words
from modelyard.tables.sample import count_frame
from modelyard.tables.split import SPLIT

LEAST = 2**17
"""Rows of a table that is worth it."""
MOST = 64
_SHARE = 0.1
_OF_A_STEP = ("moved", "mixed", "widened")
"""Findings about the way from one version to the next."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """All rows of the version before, as they are."""

    version: DatasetVersion
    files: tuple[Path, ...]
    profile: Profile

    @property
    def parts(self) -> tuple[Part, ...]:
        """They were held against their digests before."""
        rows = [pl.scan_parquet(f, glob=False).select(pl.len()).collect().item() for f in self.files]
        return tuple(Part(f, n, f.stem[-64:]) for f, n in zip(self.files, rows, strict=True))

    @property
    def sums(self) -> Words:
        return np.array([int(word, 16) for word in self.version.sums], dtype=np.uint64)

    @property
    def findings(self) -> tuple[DataFinding, ...]:
        return tuple(found for found in self.version.findings if found.kind not in _OF_A_STEP)

    @property
    def whole(self) -> Whole:
        """For the version that rows are added to this one for."""
        before = self.version.whole or Whole(rows=self.version.rows)
        return Whole(rows=before.rows, times=before.times + 1)

    def seen(self, name: str) -> Seen:
        """As if looked at again; of numbers the single values are not told."""
        column = self.profile.column(name)
        listed = column.kind == "string" and not column.unseen and not column.other
        return Seen(
            column.rows,
            column.nulls,
            column.nans,
            column.positive_infinities + column.negative_infinities,
            column.minimum,
            column.maximum,
            frozenset(label for label, rows in column.categories.items() if rows) if listed else None,
        )

    def labels(self, schema: Schema) -> pl.DataFrame:
        """Rows and test rows by label, as ``tables.split.by_label`` names them."""
        frame = pl.scan_parquet(list(self.files), glob=False).select(*schema.targets, SPLIT)
        found = []
        for name in schema.targets:
            counts = frame.group_by(name).agg(
                pl.len().alias("rows"), (pl.col(SPLIT) == "test").sum().alias("test")
            )
            counted = counts.rename({name: "label"}).collect(engine="streaming")
            if schema.labels:
                counted = counted.drop_nulls("label")
                counted = counted.with_columns(told(counted["label"], schema.column(name)).alias("label"))
            found.append(counted)
        return pl.concat(found)

    def profiled(self, parts: Sequence[Part], seen: Mapping[str, Seen], schema: Schema) -> Profile:
        """With the rows of ``parts``; ``seen`` is of these and of the old ones."""
        old = Profile(
            rows=self.profile.rows,
            columns=tuple(_room(self.profile.column(c.name), seen[c.name]) for c in schema.columns),
        )
        new = (count_frame(pl.read_parquet(part.path, glob=False), old, schema) for part in parts)
        return reduce(merge, new, old)


def kept(
    version: DatasetVersion, files: tuple[Path, ...], profile: Profile, intake: Intake, kinds: Kinds
) -> Kept | None:
    """None where the table has to be read whole."""
    whole = version.whole or Whole(rows=version.rows)
    schema = version.schema
    counts = (
        version.rows >= LEAST
        and bool(version.sums)
        and not intake.replaced
        and whole.times < MOST
        and version.rows + intake.added <= whole.rows * (1 + _SHARE)
    )
    same = all(kinds.get(c.name) in (None, c.kind) for c in schema.columns)
    # What only marks is counted in old rows too.
    quiet = not any(c.warned for c in schema.columns) and not any(r.severity == "warn" for r in schema.rules)
    finite = not any(c.positive_infinities + c.negative_infinities for c in profile.columns)
    if not (counts and same and quiet and finite):
        return None
    return Kept(version=version, files=files, profile=profile)


def _room(column: ColumnProfile, seen: Seen) -> ColumnProfile:
    """The column's counts on edges, or under labels, that hold what was seen since."""
    if column.kind == "boolean" or (column.kind != "string" and (seen.low is None or seen.high is None)):
        return column
    if column.kind == "string":
        labels = seen.distinct
        if labels is None or len(labels) > MOST_DISTINCT or any(len(str(t)) > LABEL for t in labels):
            return column
        wide = on_labels(column.name, column.kind, [*column.categories, *map(str, labels)])
        counted = {label: column.categories.get(label, 0) for label in wide.categories}
        return msgspec.structs.replace(column, categories=counted, edges_sha256=wide.edges_sha256)
    assert seen.low is not None
    assert seen.high is not None
    if not column.edges:
        wide = on_edges(column.name, column.kind, np.array([seen.low, seen.high]))
        return msgspec.structs.replace(
            column,
            edges=wide.edges,
            edges_sha256=wide.edges_sha256,
            counts=wide.counts or (0,) * (len(wide.edges) + 1),
        )
    below = seen.low <= column.edges[0]
    above = seen.high > column.edges[-1]
    low = seen.low if below else math.nextafter(column.edges[0], math.inf)
    inner = [*(column.edges if below else column.edges[1:]), *([seen.high] if above else [])]
    wide = on_edges(column.name, column.kind, np.array(inner), low=low)
    counts = (*([0] if below else []), *column.counts, *([0] if above else []))
    if len(counts) != len(wide.edges) + 1:
        return column  # beyond the last float there is no room
    return msgspec.structs.replace(column, edges=wide.edges, edges_sha256=wide.edges_sha256, counts=counts)
