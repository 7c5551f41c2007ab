import datetime as dt
import math

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.records.schema import Column, Schema
from modelyard.tables.check import check
from modelyard.tables.infer import infer
from modelyard.tables.rules import faults

KINDS = ("integer", "float", "boolean", "string", "date", "datetime")
TIMES = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30))
ISO = st.sampled_from(
    [
        "2024-02-29",
        "2024-02-30",
        "0000-01-01",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999",
        "9999-12-31T23:59:59-00:01",
        "2024-01-01T00:00:00Z",
        "2024-01-01 10:00:00.5-13:30",
        "2024-01-01T24:00:00",
        "2024-01-01T10:60:00",
        "2024-01-01T10:00",
        "2024-01-01T10:00:00.1234567",
        "2024-01-01\n",
        "2024-01-01T00:00:00\n",
        "٢024-01-01",
    ]
)
VALUES = {
    pl.Int64: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1]),
    pl.Int8: st.integers(-128, 127),
    pl.UInt64: st.integers(0, 2**64 - 1) | st.integers(0, 3),
    pl.Float64: st.floats() | st.integers(-3, 3).map(float) | st.sampled_from([2.0**53, 2.0**53 + 2]),
    pl.Float32: st.floats(width=32),
    pl.Boolean: st.booleans(),
    pl.String: st.text("ab0 \n٢é", max_size=3) | ISO | st.sampled_from(["a", "b"]),
    pl.Date: st.dates(),
    pl.Datetime("us", "UTC"): TIMES.map(lambda t: t.replace(tzinfo=dt.UTC)),
    pl.Datetime("us"): TIMES,
    pl.Null: st.none(),
}


@st.composite
def columns(draw: st.DrawFn) -> Column:
    low, high = draw(
        st.sampled_from(
            [
                (None, None),
                (-1.0, 1.0),
                (0.0, 19782.5),
                (None, 1.7e15),
                (0.5, None),
                (None, 2.0**53),
                (-1e300, 1e300),
            ]
        )
    )
    rules = st.sampled_from(["range", "categories", "pattern"])
    return Column(
        name="x",
        kind=draw(st.sampled_from(KINDS)),
        nullable=draw(st.booleans()),
        minimum=low,
        maximum=high,
        categories=draw(st.sampled_from([None, ("a",), ("a", "b", "2024-02-29")])),
        declared=tuple(draw(st.lists(rules, unique=True))),
        pattern=draw(st.sampled_from([None, "[ab]+", r"\d.*", "(?s).", r"[^\n]*$"])),
        personal=draw(st.booleans()),
    )


@settings(max_examples=400, deadline=None)
@given(data=st.data(), column=columns(), dtype=st.sampled_from(list(VALUES)))
def test_a_table_is_checked_as_its_rows_are(data: st.DataObject, column: Column, dtype: pl.DataType) -> None:
    """Value by value, message by message: the Polars check is the slow checker on every row."""
    values = data.draw(st.lists(st.none() | VALUES[dtype], max_size=5))
    frame = pl.DataFrame({"x": pl.Series("x", values, dtype=dtype)})
    schema = Schema(columns=(column,))
    rows = [faults(schema, row, at=n) for n, row in enumerate(frame.iter_rows(named=True), start=1)]
    assert list(check(frame, schema, limit=None).faults) == [f for row in rows for f in row]


@settings(deadline=None)
@given(values=st.lists(st.none() | st.floats(), min_size=1, max_size=20))
def test_a_table_fits_the_schema_inferred_from_it(values: list[float | None]) -> None:
    frame = pl.DataFrame({"x": pl.Series("x", values, dtype=pl.Float64)})
    checked = check(frame, infer(frame, target=None, key=()))
    assert checked.faults == ()
    infinite = sum(1 for v in values if v is not None and math.isinf(v))
    finite = any(v is not None and math.isfinite(v) for v in values)
    assert checked.marks == ({"x: range": infinite} if infinite and finite else {})


def test_inferred_rules_mark_and_count() -> None:
    reference = pl.DataFrame({"n": [1, 5, 3, 2], "s": ["a", "b", "a", "b"]})
    schema = infer(reference, target=None, key=())
    checked = check(pl.DataFrame({"n": [0, 1, 9, 3], "s": ["a", "z", "y", "y"]}), schema)
    assert checked.faults == ()
    assert checked.marks == {"n: range": 2, "s: categories": 3}


def test_declared_rules_refuse_instead() -> None:
    column = Column(name="n", kind="integer", minimum=1, maximum=5, declared=("range",))
    checked = check(pl.DataFrame({"n": [0, 1, 9]}), Schema(columns=(column,)))
    assert [f.row for f in checked.faults] == [1, 3]
    assert checked.marks == {}


def test_missing_and_unknown_columns() -> None:
    schema = Schema(
        columns=(
            Column(name="id", kind="string"),
            Column(name="age", kind="integer"),
            Column(name="y", kind="string"),
        ),
        target="y",
        key=("id",),
    )
    found = check(pl.DataFrame({"agee": [1]}), schema).faults
    assert [(f.row, f.field, f.rule) for f in found] == [(None, "age", "missing"), (None, "agee", "unknown")]
    assert check(pl.DataFrame({"age": [1]}), schema).faults == (), "target and key may be absent"
    assert check(pl.DataFrame({"age": [1], "y": [2]}), schema).faults[0].field == "y", (
        "but are held where there"
    )


def test_keys_may_be_any_integer_and_features_may_not() -> None:
    frame = pl.DataFrame({"id": [2**60], "n": [2**60]})
    schema = infer(frame, target=None, key=("id",))
    (fault,) = check(frame, schema).faults
    assert (fault.field, fault.rule) == ("n", "kind")
    free = msgspec.structs.replace(schema, key=("id", "n"))
    assert check(frame, free).faults == ()


def test_many_faults_are_counted_and_the_first_listed() -> None:
    schema = Schema(columns=(Column(name="n", kind="integer"),))
    checked = check(pl.DataFrame({"n": [None] * 1000}, schema={"n": pl.Int64}), schema)
    assert checked.broken == 1000
    assert [f.row for f in checked.faults] == list(range(1, 21))


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["a", "b"])])
def test_categoricals_are_texts(dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"s": pl.Series(["a", "b", "a", "b"], dtype=dtype)})
    schema = infer(frame, target=None, key=())
    assert schema.columns[0].categories == ("a", "b")
    assert check(frame, schema) == check(frame.cast(pl.String), schema)
