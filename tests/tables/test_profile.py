"""Profiles: exact counts, the algebra of merging, and every odd kind of column."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelyard.errors import DataRefused
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch
from modelyard.tables.gather import gather
from modelyard.tables.profile import (
    LABEL,
    UNSEEN,
    anchor,
    anchor_answers,
    count,
    count_answers,
    identity,
    merge,
)

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="float", nullable=True),
        Column(name="sex", kind="string", nullable=True),
        Column(name="smokes", kind="boolean", nullable=True),
        Column(name="age", kind="integer"),
    )
)
ANY = st.floats(allow_nan=True, allow_infinity=True)
ROW = st.tuples(
    ANY, st.sampled_from([None, *"abcdefgh"]), st.sampled_from([0.0, 1.0, math.nan]), st.integers(0, 90)
)


def batch(rows: list[tuple[float, str | None, float, int]]) -> Batch:
    texts = np.empty((len(rows), 1), dtype=object)
    texts[:, 0] = [row[1] for row in rows]
    numbers = np.array([(row[0], row[2], row[3]) for row in rows], dtype=np.float64).reshape(-1, 3)
    return Batch(numbers, texts)


def numbers(values: object) -> Batch:
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    return Batch(column, np.empty((len(column), 0), dtype=object))


def texts(values: list[str | None]) -> Batch:
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return Batch(np.empty((len(values), 0)), column)


FLOAT = Schema(columns=(Column(name="x", kind="float"),))
STRING = Schema(columns=(Column(name="s", kind="string"),))


@settings(deadline=None, max_examples=150)
@given(st.lists(ROW, max_size=40), st.lists(ROW, max_size=60), st.data())
def test_any_split_merges_to_the_same_identity(
    reference: list[tuple[float, str | None, float, int]],
    rows: list[tuple[float, str | None, float, int]],
    data: st.DataObject,
) -> None:
    anchored = anchor(batch(reference), SCHEMA, bins=8)
    order = data.draw(st.permutations(rows))
    i, j = sorted((data.draw(st.integers(0, len(rows))), data.draw(st.integers(0, len(rows)))))
    a, b, c = (count(batch(part), anchored) for part in (order[:i], order[i:j], order[j:]))
    whole = count(batch(rows), anchored)
    assert identity(merge(merge(a, b), c)) == identity(merge(a, merge(b, c))) == identity(whole)
    assert identity(merge(b, a)) == identity(merge(a, b))
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Profile) == whole


@settings(deadline=None, max_examples=100)
@given(st.lists(ANY, max_size=80), st.lists(ANY, max_size=80))
def test_counts_are_exact(reference: list[float], values: list[float]) -> None:
    column = count(numbers(values), anchor(numbers(reference), FLOAT, bins=6)).columns[0]
    finite = [v for v in values if math.isfinite(v)]
    bounds = [-math.inf, *column.edges, math.inf]
    assert list(column.counts) == [
        sum(low < v <= high for v in finite) for low, high in itertools.pairwise(bounds)
    ]
    assert (column.minimum, column.maximum) == (min(finite, default=None), max(finite, default=None))
    assert column.rows == column.nulls + column.positive_infinities + column.negative_infinities + len(finite)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200), st.integers(0, 200))
def test_mean_and_m2_merge_to_rounding(values: list[float], cut: int) -> None:
    anchored = anchor(numbers(values), FLOAT)
    whole = anchored.columns[0]
    merged = merge(count(numbers(values[:cut]), anchored), count(numbers(values[cut:]), anchored)).columns[0]
    size = max(abs(v) for v in values)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-12 * size)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-12, abs=1e-12 * size * size * len(values))
    assert whole.m2 == pytest.approx(np.var(values) * len(values), rel=1e-9, abs=1e-9 * size * size)


def test_few_distinct_values_have_a_bin_each() -> None:
    column = anchor(numbers([1, 1, 1, 5, 5, 9]), FLOAT).columns[0]
    assert column.edges[1:] == (1.0, 5.0, 9.0)
    assert column.counts == (0, 3, 2, 1, 0)


def test_a_reference_has_nothing_outside_its_own_range() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    anchored = anchor(numbers(values), FLOAT)
    column = anchored.columns[0]
    assert (column.counts[0], column.counts[-1]) == (0, 0)
    assert max(column.counts) <= math.ceil(5000 / 256)
    outside = count(numbers([values.min() - 1, values.max() + 1, values.max() + 2]), anchored).columns[0]
    assert (outside.counts[0], outside.counts[-1]) == (1, 2)


@pytest.mark.parametrize(
    ("values", "counts"),
    [([], (0,)), ([math.nan] * 3, (0,)), ([math.inf, -math.inf], (0,)), ([7.0] * 4, (0, 4, 0))],
    ids=["empty", "all null", "only infinities", "constant"],
)
def test_odd_columns(values: list[float], counts: tuple[int, ...]) -> None:
    anchored = anchor(numbers(values), FLOAT)
    assert anchored.columns[0].counts == counts
    assert merge(anchored, count(numbers([]), anchored)) == anchored


def test_the_largest_numbers_keep_a_profile_that_json_can_hold() -> None:
    large = np.finfo(np.float64).max
    anchored = anchor(numbers([large, large, -large, large]), FLOAT)
    both = merge(anchored, count(numbers([-large, large]), anchored))
    for profile in (anchored, both):
        assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile
    assert both.columns[0].mean == pytest.approx(large / 3)


def test_negative_zero_is_zero() -> None:
    a, b = anchor(numbers([0.0, -0.0]), FLOAT), anchor(numbers([-0.0, 0.0]), FLOAT)
    assert identity(a) == identity(b)
    assert b"-0.0" not in msgspec.json.encode(b)


def test_other_edges_are_refused_by_name() -> None:
    a, b = anchor(numbers([1, 2]), FLOAT), anchor(numbers([1, 3]), FLOAT)
    with pytest.raises(DataRefused, match="'x' were counted on different edges"):
        merge(a, b)
    with pytest.raises(DataRefused, match="different columns"):
        merge(a, anchor(texts(["a"]), STRING))
    with pytest.raises(DataRefused, match="'s' were counted on different edges"):
        merge(anchor(texts(["a"]), STRING), anchor(texts(["b"]), STRING))


def test_categories_beyond_the_cap_are_other() -> None:
    values: list[str | None] = ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d", None]
    column = anchor(texts(values), STRING, bins=2).columns[0]
    assert column.categories == {"a": 5, "b": 3}
    assert (column.unseen, column.other, column.nulls, column.rows) == ({"c": 2, "d": 1}, 0, 1, 12)


@given(st.lists(st.text("abc", max_size=4), max_size=150), st.integers(0, 150))
@settings(deadline=None, max_examples=60)
def test_new_labels_are_counted_exactly_for_the_first_of_them(labels: list[str], cut: int) -> None:
    anchored = anchor(texts(["a"]), STRING)
    merged = merge(count(texts(labels[:cut]), anchored), count(texts(labels[cut:]), anchored)).columns[0]  # type: ignore[arg-type]
    first = sorted(set(labels) - {"a"})[:UNSEEN]
    assert merged.unseen == {label: labels.count(label) for label in first}
    assert merged.other == len(labels) - labels.count("a") - sum(merged.unseen.values())


def test_free_text_is_counted_and_not_kept() -> None:
    long = "z" * (LABEL + 1)
    column = anchor(texts([long, "a"]), STRING).columns[0]
    assert (column.categories, column.unseen, column.other) == ({"a": 1}, {}, 1)


def test_every_kind_through_a_frame() -> None:
    frame = pl.DataFrame(
        {
            "key": [1, 2, 3],
            "day": [dt.date(1970, 1, 3), None, dt.date(1970, 1, 2)],
            "at": [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)] * 3,
            "on": [True, False, True],
            "s": ["u", "v", None],
        }
    )
    columns = (
        Column(name="key", kind="integer"),
        Column(name="s", kind="string", nullable=True),
        Column(name="day", kind="date", nullable=True),
        Column(name="at", kind="datetime"),
        Column(name="on", kind="boolean"),
    )
    schema = Schema(columns=columns, key=("key",))
    profile = anchor(gather(frame, schema), schema)
    assert [c.name for c in profile.columns] == ["s", "day", "at", "on"]
    assert profile.column("day").edges[1:] == (1.0, 2.0)
    assert profile.column("day").nulls == 1
    assert profile.column("at").mean == 1e6
    assert profile.column("on").categories == {"false": 1, "true": 2}
    assert profile.column("s").categories == {"u": 1, "v": 1}
    assert count(gather(frame, schema), profile) == profile


@pytest.mark.parametrize(
    ("classes", "listed"),
    [
        (("no", "yes"), {"no": 1, "yes": 2}),
        ((0, 1), {"0": 1, "1": 2}),
        ((False, True), {"false": 1, "true": 2}),
    ],
)
def test_answers_of_two_classes(classes: tuple[object, object], listed: dict[str, int]) -> None:
    prediction = np.array([classes[0], classes[1], classes[1]])
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    profile = anchor_answers(prediction, probability, task="binary", classes=classes)  # type: ignore[arg-type]
    assert profile.column("prediction").categories == listed
    assert profile.column("probability").edges[1:] == (0.1, 0.6, 0.8)
    assert count_answers(prediction, probability, profile) == profile


def test_answers_of_many_classes_keep_those_never_given() -> None:
    probability = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    profile = anchor_answers(
        np.array(["a", "b"], object), probability, task="multiclass", classes=("a", "b", "c")
    )
    assert profile.column("prediction").categories == {"a": 1, "b": 1, "c": 0}
    assert profile.column("probability").maximum == 0.8
    with pytest.raises(DataRefused, match="no probability"):
        count_answers(np.array(["a"], object), None, profile)


def test_answers_that_are_numbers() -> None:
    prediction: NDArray[np.float64] = np.array([1.0, math.nan, 3.0])
    profile = anchor_answers(prediction, None, task="regression")
    assert profile.column("prediction").nans == 1
    assert profile.column("prediction").nulls == 0
    assert count_answers(prediction, None, profile) == profile
