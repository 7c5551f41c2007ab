import datetime as dt
import math

import polars as pl
import pytest

from modelyard.errors import DataRefused
from modelyard.records.schema import Column
from modelyard.tables.infer import infer, is_blank


def column(values: list[object], dtype: pl.DataType | None = None, *, key: bool = False) -> Column:
    frame = pl.DataFrame({"x": pl.Series("x", values, dtype=dtype), "y": [1] * len(values)})
    return infer(frame, target="y", key=("x",) if key else ()).columns[0]


def test_kinds() -> None:
    assert column([1, 2]) == Column(name="x", kind="integer", minimum=1, maximum=2)
    assert column([1], pl.UInt8).kind == "integer"
    assert column([1.5, None]) == Column(name="x", kind="float", nullable=True, minimum=1.5, maximum=1.5)
    assert column([1.5], pl.Float32).kind == "float"
    assert column([True, False]) == Column(name="x", kind="boolean")
    assert column([dt.date(2026, 1, 1)]) == Column(name="x", kind="date")
    assert column([dt.datetime(2026, 1, 1)]) == Column(name="x", kind="datetime")
    assert column([dt.datetime(2026, 1, 1)], pl.Datetime("ns", "Europe/Vienna")).kind == "datetime"


def test_nothing_is_declared() -> None:
    frame = pl.DataFrame({"a": [1], "b": ["x"], "c": [None]})
    schema = infer(frame, target="b", key=("a",))
    assert all(c.declared == () for c in schema.columns)
    assert (schema.target, schema.key) == ("b", ("a",))


def test_categories_are_sorted_few_and_recurring() -> None:
    assert column(["b", "a", "b", "a"]).categories == ("a", "b")
    assert column(["b", "a", None, "b", "a"]).categories == ("a", "b")
    assert column(["a", "b", "c"]).categories is None
    fifty = [f"c{n:02}" for n in range(50)]
    assert column(fifty * 2).categories == tuple(fifty)
    assert column([*fifty, "more"] * 2).categories is None
    assert column([""] * 2).categories == ("",)


def test_nan_is_missing_and_infinity_a_value_beyond_the_range() -> None:
    assert column([1.0, math.nan, math.inf, -math.inf, 2.0]) == Column(
        name="x", kind="float", nullable=True, minimum=1.0, maximum=2.0
    )
    assert column([math.inf]) == Column(name="x", kind="float")


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Int64, pl.Float64, pl.Date])
def test_a_column_without_any_value_is_a_nullable_float(dtype: pl.DataType) -> None:
    found = column([None, None], dtype)
    assert found == Column(name="x", kind="float", nullable=True)
    assert is_blank(found)


def test_all_nan_is_blank_too() -> None:
    assert column([math.nan, math.nan]) == Column(name="x", kind="float", nullable=True)


def test_keys_get_no_rules() -> None:
    assert column([2**60], key=True) == Column(name="x", kind="integer")
    assert column(["a", "a"], key=True) == Column(name="x", kind="string")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([dt.time(1)], pl.Time),
        ([dt.timedelta(1)], pl.Duration),
        ([b"x"], pl.Binary),
        ([[1]], pl.List(pl.Int64)),
        ([{"a": 1}], pl.Struct({"a": pl.Int64})),
        (["1.5"], pl.Decimal(10, 2)),
    ],
)
def test_types_without_a_kind_are_refused_by_name(values: list[object], dtype: pl.DataType) -> None:
    with pytest.raises(DataRefused, match="Column 'x' is of type"):
        column(values, dtype)
