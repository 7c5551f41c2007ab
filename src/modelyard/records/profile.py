"""What a column's values look like, mergeable by integer counts."""

from __future__ import annotations

import msgspec

from modelyard.records.schema import Kind


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one column, anchored at a reference's edges.

    ``rows = nulls + nans + positive_infinities + negative_infinities + finite`` for numbers.
    ``counts[i]`` counts finite values in ``(edges[i-1], edges[i]]`` with open ends, so
    ``len(counts) == len(edges) + 1``. The first and the last count are values below and above the
    reference's own, zero in the reference. Days and times are numbers, as in a batch.
    Strings and booleans (``false``, ``true``) use ``categories``: exactly those of the reference, at
    most a cap, zeros included. ``unseen`` counts some labels that the reference does not list, and
    ``other`` the rest of such rows. ``mean`` and ``m2`` (Chan's merge) are no part of the identity.
    """

    name: str
    kind: Kind
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    positive_infinities: int = 0
    negative_infinities: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float = 0.0
    m2: float = 0.0
    edges: tuple[float, ...] = ()
    edges_sha256: str = ""
    """Of the edges, or of the listed categories."""
    counts: tuple[int, ...] = ()
    categories: dict[str, int] = {}
    unseen: dict[str, int] = {}
    other: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles of a table's columns, or of a window's features and answers."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile of that column; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
