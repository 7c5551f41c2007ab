"""Counting a piece of a table on edges that were chosen from a sample."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.tables.profile import LABEL, UNSEEN, on_labels
from modelyard.tables.sample import count_frame

SCHEMA = Schema(columns=(Column(name="count", kind="string", nullable=True),))


def counted(labels: list[str | None], listed: list[str]) -> Profile:
    anchored = Profile(rows=0, columns=(on_labels("count", "string", listed),))
    return count_frame(pl.DataFrame({"count": pl.Series(labels, dtype=pl.String)}), anchored, SCHEMA)


@pytest.mark.parametrize("distinct", [0, 20, 5_000, 60_000])
@given(
    few=st.lists(st.text("abÄ😀", max_size=3) | st.none(), max_size=20),
    listed=st.lists(st.sampled_from(["a", "b", "7", "0", "59999", "Ä"]), max_size=4),
)
@settings(deadline=None, max_examples=8)
def test_labels_are_counted_as_one_by_one(distinct: int, few: list[str | None], listed: list[str]) -> None:
    long = "0" * (LABEL + 1)
    labels = [*few, *(str(n) for n in range(distinct)), "7", "7", long, None]
    column = counted(labels, listed).columns[0]
    known = [label for label in labels if label is not None]
    others = [label for label in known if label not in listed]
    first = sorted({label for label in others if len(label) <= LABEL})[:UNSEEN]
    assert column.categories == {label: known.count(label) for label in sorted(set(listed))}
    assert column.unseen == {label: known.count(label) for label in first}
    assert (column.rows, column.nulls) == (len(labels), len(labels) - len(known))
    assert column.other == len(others) - sum(column.unseen.values())
