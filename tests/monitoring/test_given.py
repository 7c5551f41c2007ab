"""A table of outcomes, row by row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from modelyard.errors import DataRefused
from modelyard.monitoring.given import given, whose
from modelyard.records.outcome import Outcome
from modelyard.records.schema import Column, Schema

FEATURES = Schema(
    columns=(
        Column(name="size", kind="float"),
        Column(name="day", kind="date"),
        Column(name="patient", kind="string"),
        Column(name="truth", kind="string"),
    ),
    target="truth",
    key=("patient",),
)


def read(frame: dict[str, Any], **more: Any) -> Any:
    asked: dict[str, Any] = {
        "by": ("request_id",),
        "outcome": "outcome",
        "task": "binary",
        "classes": ("no", "yes"),
    }
    return given(pl.DataFrame(frame, strict=False), FEATURES, **(asked | more))


def test_rows_and_times_are_read_and_what_tells_nothing_is_refused_alone() -> None:
    found = read(
        {
            "request_id": ["a", "b", None, "", "c", "d", "x" * 201],
            "row": [None, 2, 0, 0, -1, 0, 0],
            "outcome": ["yes", " no ", "yes", "yes", "yes", "maybe", "yes"],
            "at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None, None, None, None, None, None],
        }
    )
    assert found.outcomes == (Outcome("a", "yes", 0, 1767225600.0), Outcome("b", "no", 2))
    assert [row for row, _ in found.refused] == [3, 4, 5, 6, 7]
    assert "none of the model's classes ('no', 'yes')" in found.refused[3][1]


@pytest.mark.parametrize(
    ("values", "classes", "wanted"),
    [
        (["1", "0", "2"], (0, 1), [1, 0]),
        ([1.0, 0.0, 0.5], (0, 1), [1, 0]),
        ([True, False, None], (False, True), [True, False]),
        (["true", "False", "1"], (False, True), [True, False]),
        ([1, 0, 7], ("0", "1"), ["1", "0"]),
        ([True, False, None], (0, 1), []),
    ],
)
def test_a_class_is_known_however_a_table_has_it(
    values: list[Any], classes: tuple[Any, ...], wanted: list[Any]
) -> None:
    frame = {"request_id": [f"{i}" for i in range(len(values))], "outcome": values}
    outcomes = [each.outcome for each in read(frame, classes=classes).outcomes]
    assert outcomes == wanted
    assert [type(each) for each in outcomes] == [type(each) for each in wanted]


def test_a_regression_takes_finite_numbers_alone() -> None:
    frame = {"request_id": list("abcdef"), "outcome": ["1.5", "inf", "nan", "x", "", None]}
    found = read(frame, task="regression", classes=())
    assert found.outcomes == (Outcome("a", 1.5),)
    assert len(found.refused) == 5


def test_a_number_that_is_none_is_refused_alone() -> None:
    frame = {"request_id": list("abc"), "outcome": [1.5, float("nan"), None]}
    found = read(frame, task="regression", classes=())
    assert found.outcomes == (Outcome("a", 1.5),)
    assert [row for row, _ in found.refused] == [2, 3]
    found = read({"request_id": list("ab"), "outcome": [1.0, float("nan")]}, classes=(0, 1))
    assert [each.outcome for each in found.outcomes] == [1]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("outcome", [["yes"], ["no"]], "each row tells one outcome"),
        ("at", [1767225600, 1767225601], "write times, such as"),
        ("at", [1767225600.5, None], "write times, such as"),
    ],
)
def test_a_column_of_another_kind_is_told(column: str, values: list[Any], said: str) -> None:
    with pytest.raises(DataRefused, match=said):
        read({"request_id": ["a", "b"], "outcome": ["yes", "no"]} | {column: values})


@pytest.mark.parametrize(
    ("columns", "key", "by", "wanted"),
    [
        (["request_id", "client_id"], (), (), ("request_id",)),
        (["client_id", "size"], (), (), ("client_id",)),
        (["size", "day"], ("size",), (), ("size",)),
        (["request_id", "size", "day"], (), ("size", "day"), ("size", "day")),
        (["size"], (), (), "must say which prediction"),
        (["patient"], ("patient",), (), "'patient' is no feature"),
        (["request_id"], (), ("size",), "has no 'size'"),
    ],
)
def test_whose_an_outcome_is(columns: list[str], key: Any, by: Any, wanted: object) -> None:
    if isinstance(wanted, str):
        with pytest.raises(DataRefused, match=wanted):
            whose(columns, FEATURES, key, by)
    else:
        assert whose(columns, FEATURES, key, by) == wanted


def test_features_that_tell_are_written_as_the_log_has_them() -> None:
    frame = {"size": [2, 3], "day": [dt.date(2026, 1, 1)] * 2, "outcome": ["yes", "no"]}
    found = read(frame, by=("size", "day"))
    assert [each.id for each in found.outcomes] == [
        '{"size":2.0,"day":"2026-01-01"}',
        '{"size":3.0,"day":"2026-01-01"}',
    ]
    assert {each.by for each in found.outcomes} == {'["size","day"]'}


def test_columns_that_are_missing_or_of_another_kind() -> None:
    with pytest.raises(DataRefused, match="no column 'outcome'"):
        read({"request_id": ["a"]})
    with pytest.raises(DataRefused, match="not whole numbers"):
        read({"request_id": ["a"], "row": ["x"], "outcome": ["yes"]})
    with pytest.raises(DataRefused, match="no times"):
        read({"request_id": ["a"], "at": ["soon"], "outcome": ["yes"]})
