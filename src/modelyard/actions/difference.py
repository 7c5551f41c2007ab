"""How one dataset version differs from another: what ``diff`` tells of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.stored import dataset_version, profile, rows
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.difference import Difference, RowChanges, Shift
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Schema

if TYPE_CHECKING:
    import polars as pl

ALPHA, EFFECT = 0.05, 0.01
"""A column is called shifted when its p-value, times the number of columns, is at most ``ALPHA`` and its
effect at least ``EFFECT``, as monitoring does by default."""


def difference(project: Project, before: str, after: str) -> Difference:
    """Schema, rows and distributions of two versions; equal content is told without reading a row."""
    from modelyard.data import differ

    old, new = dataset_version(project, before), dataset_version(project, after)
    if old.digest == new.digest:
        unchanged = RowChanges(
            by="key" if new.schema.key else "content", before=old.rows, after=new.rows, added=0, removed=0
        )
        return Difference(before=old.ref, after=new.ref, same=True, rows=unchanged)
    project.tell(f"comparing {old.ref} and {new.ref}")
    frames = rows(project, old), rows(project, new)
    schema, changes = differ(old, new, *frames)
    return Difference(
        before=old.ref,
        after=new.ref,
        same=False,
        schema=schema,
        rows=changes,
        shifts=_shifts(profile(project, old), old, new, frames[1]),
    )


def _shifts(
    reference: Profile, old: DatasetVersion, new: DatasetVersion, frame: pl.LazyFrame
) -> tuple[Shift, ...]:
    """Every column that both versions have with the same kind and that is no key."""
    from modelyard.monitoring import drifted

    kinds = {c.name: c.kind for c in new.schema.columns if c.name not in new.schema.key}
    columns = tuple(c for c in reference.columns if kinds.get(c.name) == c.kind)
    anchored = Profile(rows=reference.rows, columns=columns)
    counted = _count(frame, anchored, old.schema)
    found = []
    for a, b in zip(columns, counted.columns, strict=True):
        test = drifted(a, b)
        p = None if test.p is None else min(1.0, test.p * len(columns))
        hidden = new.schema.column(a.name).personal or old.schema.column(a.name).personal
        told = (f"{a.name} shifted", a.name) if hidden else (test.change, test.calm)
        shifted = p is not None and p <= ALPHA and test.effect >= EFFECT
        found.append(
            Shift(
                column=a.name,
                statistic=test.statistic,
                value=test.value,
                p=p,
                distance=test.distance,
                effect=test.effect,
                missing_before=_missing(a),
                missing_after=_missing(b),
                shifted=shifted,
                sentence=told[0] if shifted else told[1],
            )
        )
    return tuple(sorted(found, key=lambda s: (not s.shifted, -s.effect)))


def _count(frame: pl.LazyFrame, anchored: Profile, schema: Schema) -> Profile:
    """The new rows on the edges of the old profile, a few columns at a time."""
    from modelyard.tables.gather import gather
    from modelyard.tables.profile import count

    columns: list[ColumnProfile] = []
    rows = 0
    for at in range(0, len(anchored.columns), 16):
        some = anchored.columns[at : at + 16]
        shape = Schema(columns=tuple(schema.column(c.name) for c in some))
        loaded = frame.select(c.name for c in some).collect()
        part = count(gather(loaded, shape), msgspec.structs.replace(anchored, columns=some))
        columns += part.columns
        rows = part.rows
    return Profile(rows=rows, columns=tuple(columns))


def _missing(column: ColumnProfile) -> float:
    return (column.nulls + column.nans) / column.rows if column.rows else 0.0
