import datetime as dt
import math

import pytest

from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.rules import faults, read_date, read_datetime, unknown

PATIENTS = Schema(
    columns=(
        Column(name="id", kind="integer"),
        Column(name="age", kind="integer", minimum=0, maximum=120, declared=("range",)),
        Column(name="weight", kind="float", nullable=True, minimum=1, maximum=300),
        Column(name="ward", kind="string", categories=("a", "b"), declared=("categories",)),
        Column(name="smoker", kind="boolean"),
        Column(name="born", kind="date"),
        Column(name="seen", kind="datetime"),
        Column(name="outcome", kind="string"),
    ),
    target="outcome",
    key=("id",),
)
GOOD: dict[str, object] = {
    "age": 40,
    "weight": 71.5,
    "ward": "a",
    "smoker": True,
    "born": "1986-01-31",
    "seen": "2026-01-31T12:00:00Z",
}


def test_a_row_that_fits_has_no_faults() -> None:
    assert faults(PATIENTS, GOOD) == []
    assert faults(PATIENTS, GOOD | {"weight": None}) == []
    assert faults(PATIENTS, GOOD | {"weight": 5000.0}) == [], "an inferred range refuses nothing"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 3),
        ("integer", 3.0),
        ("integer", -(2**53)),
        ("float", 3),
        ("float", -0.0),
        ("float", math.inf),
        ("float", 2**70),
        ("boolean", False),
        ("string", ""),
        ("date", "2024-02-29"),
        ("date", dt.date(2024, 2, 29)),
        ("datetime", "2024-02-29 23:59:59.123456+05:30"),
        ("datetime", "2024-02-29T23:59:59"),
        ("datetime", dt.datetime(2024, 2, 29)),
    ],
)
def test_accepted(kind: Kind, value: object) -> None:
    assert faults(Schema(columns=(Column(name="x", kind=kind),)), {"x": value}) == []


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("integer", 3.5, "'x' must be an integer, not 3.5."),
        ("integer", True, "'x' must be an integer, not true."),
        ("integer", "3", "'x' must be an integer, not the text '3'."),
        ("integer", 2**53 + 1, "'x' must be an integer, not 9007199254740993, which is beyond ±2**53"),
        ("integer", math.inf, "'x' must be an integer, not inf."),
        ("integer", 10**400, "an integer of more than 40 digits, which is beyond"),
        ("float", "1.5", "'x' must be a number, not the text '1.5'."),
        ("float", False, "not false."),
        ("float", 10**400, "which no float64 can hold."),
        ("float", [1], "not a list."),
        ("boolean", 1, "'x' must be true or false, not 1."),
        ("string", 1, "'x' must be a text, not 1."),
        ("string", {"a": 1}, "not an object."),
        ("date", "31.01.2026", "'x' must be a date such as 2026-01-31, not the text '31.01.2026'."),
        ("date", "2026-02-30", "2026-02-30"),
        ("date", "2026-01-31T00:00:00", "must be a date"),
        ("date", dt.datetime(2026, 1, 31), "must be a date"),
        ("datetime", "2026-01-31", "must be a time"),
        ("datetime", "2026-01-31T24:00:00", "must be a time"),
        ("datetime", "2026-01-31T12:00:00.1234567", "must be a time"),
        ("datetime", "0001-01-01T00:00:00+01:00", "must be a time"),
        ("datetime", 5, "must be a time"),
    ],
)
def test_refused_with_a_sentence(kind: Kind, value: object, says: str) -> None:
    (fault,) = faults(Schema(columns=(Column(name="x", kind=kind, nullable=True),)), {"x": value})
    assert (fault.field, fault.rule, fault.row) == ("x", "kind", None)
    assert says in fault.message
    assert fault.message.endswith(".")


@pytest.mark.parametrize("value", [None, math.nan])
def test_null_where_none_is_allowed(value: object) -> None:
    (fault,) = faults(PATIENTS, GOOD | {"age": value}, at=7)
    assert (fault.row, fault.rule) == (7, "nullable")
    assert fault.message == "Row 7: 'age' is null and may not be; give an integer."


def test_nan_is_no_text_date_or_boolean() -> None:
    for kind in ("boolean", "string", "date", "datetime"):
        (fault,) = faults(Schema(columns=(Column(name="x", kind=kind, nullable=True),)), {"x": math.nan})
        assert fault.rule == "kind"


def test_declared_rules_refuse_and_say_the_bounds() -> None:
    age, ward = faults(PATIENTS, GOOD | {"age": 130, "ward": "c"})
    assert (age.rule, ward.rule) == ("range", "categories")
    assert age.message == "'age' is 130, outside of the declared range from 0 to 120."
    assert ward.message == "'ward' is the text 'c', none of the declared categories a, b."


def test_missing_and_unknown_fields_in_order() -> None:
    row = {k: v for k, v in GOOD.items() if k not in ("born", "weight")} | {
        "agee": 1,
        "outcome": "x",
        "id": 4,
        "zzz": 1,
    }
    found = faults(PATIENTS, row)
    assert [(f.field, f.rule) for f in found] == [
        ("weight", "missing"),
        ("born", "missing"),
        ("agee", "unknown"),
        ("outcome", "unknown"),
        ("id", "unknown"),
        ("zzz", "unknown"),
    ]
    assert "did you mean 'age'?" in found[2].message
    assert "the target" in found[3].message
    assert "the key" in found[4].message


def test_messages_stay_short_whatever_the_value() -> None:
    found = faults(PATIENTS, GOOD | {"age": "x" * 10_000_000, "ward": "y" * 10_000_000, "z" * 10_000_000: 1})
    assert len(found) == 3
    assert all(len(f.message) < 200 for f in found)
    assert len(unknown(PATIENTS, "a" * 10**7).message) < 200


def test_texts_of_time() -> None:
    assert read_date("2024-02-29") == dt.date(2024, 2, 29)
    assert read_date("20240229") is None
    assert read_date("2024-02-29\n") is None
    assert read_datetime("2024-01-01T00:30:00+01:00") == dt.datetime(2023, 12, 31, 23, 30, tzinfo=dt.UTC)
    assert read_datetime("2024-01-01T00:30:00.5") == dt.datetime(2024, 1, 1, 0, 30, 0, 500000, tzinfo=dt.UTC)
    assert read_datetime("２024-01-01T00:30:00") is None
