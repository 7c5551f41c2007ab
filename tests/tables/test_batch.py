from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import DataRefused, Misuse
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, concat, layout, to_frame
from modelyard.tables.gather import gather, target

SCHEMA = Schema(
    columns=(
        Column(name="id", kind="integer"),
        Column(name="town", kind="string", nullable=True),
        Column(name="age", kind="integer"),
        Column(name="visits", kind="integer", nullable=True),
        Column(name="income", kind="float", nullable=True),
        Column(name="member", kind="boolean"),
        Column(name="smoker", kind="boolean", nullable=True),
        Column(name="born", kind="date", nullable=True),
        Column(name="seen", kind="datetime"),
        Column(name="sex", kind="string"),
        Column(name="outcome", kind="string"),
    ),
    target="outcome",
    key=("id",),
)
STAMP = dt.datetime(2026, 1, 31, 12, 30, 15, 250_001)

rows = st.fixed_dictionaries(
    {
        "id": st.integers(0, 10**6),
        "town": st.none() | st.text(max_size=5),
        "age": st.integers(-(2**53), 2**53),
        "visits": st.none() | st.integers(0, 100),
        "income": st.none() | st.floats(allow_nan=False),
        "member": st.booleans(),
        "smoker": st.none() | st.booleans(),
        "born": st.none() | st.dates(),
        "seen": st.datetimes(min_value=dt.datetime(1800, 1, 1), max_value=dt.datetime(2200, 1, 1)),
        "sex": st.sampled_from(["f", "m"]),
        "outcome": st.sampled_from(["yes", "no"]),
    }
)
TYPES = {
    "id": pl.Int64, "town": pl.String, "age": pl.Int64, "visits": pl.Int64, "income": pl.Float64,
    "member": pl.Boolean, "smoker": pl.Boolean, "born": pl.Date, "seen": pl.Datetime("us"),
    "sex": pl.String, "outcome": pl.String,
}  # fmt: skip


def frame(table: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(table, schema=TYPES)


def test_layout_leaves_target_and_key_aside() -> None:
    found = layout(SCHEMA)
    assert found.numbers == ("age", "visits", "income", "member", "smoker", "born", "seen")
    assert found.texts == ("town", "sex")


@given(st.lists(rows, min_size=1, max_size=8))
def test_a_table_comes_back_as_it_was(table: list[dict[str, object]]) -> None:
    given_frame = frame(table)
    batch = gather(given_frame, SCHEMA)
    assert batch.numbers.flags.c_contiguous
    back = to_frame(batch, SCHEMA, "polars")
    features = [c.name for c in SCHEMA.features]
    assert back.columns == features
    assert back["visits"].dtype == pl.Float64
    for name in features:
        ours = back[name].fill_nan(None).cast(TYPES[name]) if name == "visits" else back[name]
        ours = ours.fill_nan(None) if name == "income" else ours
        assert ours.to_list() == given_frame[name].to_list(), name
    assert gather(back, SCHEMA).texts.tolist() == batch.texts.tolist()
    assert np.array_equal(gather(back, SCHEMA).numbers, batch.numbers, equal_nan=True)


@given(st.lists(rows, min_size=1, max_size=5))
def test_pandas_types_follow_the_schema_alone(table: list[dict[str, object]]) -> None:
    made = to_frame(gather(frame(table), SCHEMA), SCHEMA, "pandas")
    assert {name: str(kind) for name, kind in made.dtypes.items()} == {
        "town": "object", "age": "int64", "visits": "float64", "income": "float64", "member": "bool",
        "smoker": "object", "born": "datetime64[us]", "seen": "datetime64[us]", "sex": "object",
    }  # fmt: skip
    for at, row in enumerate(table):
        assert made["age"][at] == row["age"]
        assert made["town"][at] == row["town"]
        assert made["smoker"][at] is row["smoker"]
        assert made["seen"][at] == pd.Timestamp(row["seen"])  # type: ignore[arg-type]
        assert pd.isna(made["born"][at]) == (row["born"] is None)


def test_a_frame_does_not_share_memory_with_its_batch() -> None:
    schema = Schema(columns=(Column(name="a", kind="float"),))
    batch = Batch(np.ones((2, 1)), np.empty((2, 0), dtype=object))
    made = to_frame(batch, schema, "pandas")
    made.loc[0, "a"] = 5.0
    to_frame(batch, schema, "numpy")[0, 0] = 7.0
    assert batch.numbers[0, 0] == 1.0


def test_arrays_are_of_numbers_unless_there_are_texts() -> None:
    batch = Batch(np.array([[1.0], [np.nan]]), np.array([["a"], [None]], dtype=object))
    mixed = Schema(
        columns=(
            Column(name="t", kind="string", nullable=True),
            Column(name="n", kind="float", nullable=True),
        )
    )
    found = to_frame(batch, mixed, "numpy")
    assert found.dtype == object
    assert found[0].tolist() == ["a", 1.0]
    assert found[1, 0] is None
    plain = Schema(columns=(Column(name="n", kind="float"),))
    assert to_frame(batch, plain, "numpy").dtype == np.float64


def test_take_and_concat() -> None:
    batch = gather(frame([dict.fromkeys(TYPES) | {"age": at, "town": str(at)} for at in range(5)]), SCHEMA)
    assert batch.take([3, 1]).texts[:, 0].tolist() == ["3", "1"]
    assert len(batch.take(np.arange(5) > 2)) == 2
    assert len(batch.take(slice(0, 0))) == 0
    both = concat([batch.take(slice(0, 2)), batch.take(slice(2, 5))])
    assert np.array_equal(both.numbers, batch.numbers, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["a", "b"], "string", ["a", "b"]),
        ([1, 0], "integer", [1, 0]),
        ([True, False], "boolean", [True, False]),
        ([0.5, 2.0], "float", [0.5, 2.0]),
    ],
)
def test_targets(values: list[object], kind: str, expected: list[object]) -> None:
    schema = Schema(columns=(Column(name="y", kind=kind),), target="y")  # type: ignore[arg-type]
    found = target(pl.DataFrame({"y": values}), schema)
    assert found.tolist() == expected
    assert (
        found.dtype == {"string": object, "integer": np.int64, "boolean": np.bool_, "float": np.float64}[kind]
    )


def test_what_cannot_be_gathered_names_the_column() -> None:
    schema = Schema(columns=(Column(name="a", kind="float"), Column(name="y", kind="string")), target="y")
    with pytest.raises(DataRefused, match="'a' is missing"):
        gather(pl.DataFrame({"y": ["1"]}), schema)
    with pytest.raises(DataRefused, match="'a' holds String"):
        gather(pl.DataFrame({"a": ["x"], "y": ["1"]}), schema)
    with pytest.raises(DataRefused, match="'y' is missing in 1 rows, first in row 2"):
        target(pl.DataFrame({"a": [1.0, 2.0], "y": ["1", None]}), schema)
    with pytest.raises(Misuse, match="no target"):
        target(pl.DataFrame({"a": [1.0]}), Schema(columns=(Column(name="a", kind="float"),)))
