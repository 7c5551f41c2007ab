"""The language of rules: what it reads, what it refuses, and that its three evaluators are one."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import RequestRefused
from modelyard.records.schema import Column, RowRule, Schema
from modelyard.tables import decode
from modelyard.tables.check import check
from modelyard.tables.expressions import LONGEST, BadExpression, parse
from modelyard.tables.rules import faults, of_features

COLUMNS = (
    Column(name="n", kind="integer", nullable=True),
    Column(name="x", kind="float", nullable=True),
    Column(name="y y", kind="float", nullable=True),
    Column(name="b", kind="boolean", nullable=True),
    Column(name="s", kind="string", nullable=True),
    Column(name="t", kind="string", nullable=True),
    Column(name="d", kind="date", nullable=True),
    Column(name="e", kind="date", nullable=True),
    Column(name="m", kind="datetime", nullable=True),
)
KINDS = {column.name: column.kind for column in COLUMNS}
TYPES: dict[str, Any] = {"n": pl.Int64, "x": pl.Float64, "y y": pl.Float64, "b": pl.Boolean} | dict.fromkeys(
    "stdem", pl.String
)

NUMBERS = st.recursive(
    st.sampled_from(["n", "x", '"y y"', "0", "1", "-1", "2.5", "1e300", "(d - e)", "(m - '2020-01-01')"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=4,
)
SIGNS = st.sampled_from(["=", "==", "!=", "<>", "<", "<=", ">", ">="])
SIMPLE = st.one_of(
    st.tuples(NUMBERS, SIGNS, NUMBERS).map(" ".join),
    st.tuples(st.sampled_from(["d", "e"]), SIGNS, st.sampled_from(["e", "'2020-02-29'"])).map(" ".join),
    st.sampled_from(
        [
            "b",
            "b = false",
            "s = t",
            "s != 'a'",
            "s in ('a', 'it''s')",
            "t not in ('a', t)",
            "m >= '2020-01-01 10:00'",
            "x is null",
            "s is not null",
            "(x / n) is null",
        ]
    ),
)
RULES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or ", " AND "]), inner).map(
            lambda t: f"({t[0]}{t[1]}{t[2]})"
        ),
        inner.map(lambda rule: f"not ({rule})"),
    ),
    max_leaves=4,
).map(lambda rule: f"{rule} or (n is null and n is not null)")
FLOATS = st.none() | st.sampled_from([0.0, -0.0, 1.0, 2.5, -1e300, 1e300, 0.1]) | st.floats(-9, 9)
DATES = st.none() | st.sampled_from(["2020-02-29", "1969-12-31", "2020-01-01"])
ROWS = st.fixed_dictionaries(
    {
        "n": st.none() | st.sampled_from([0, 1, -1, 2**53]),
        "x": FLOATS,
        "y y": FLOATS,
        "b": st.none() | st.booleans(),
        "s": st.none() | st.sampled_from(["a", "b", "", "it's"]),
        "t": st.none() | st.sampled_from(["a", "b", ""]),
        "d": DATES,
        "e": DATES,
        "m": st.none() | st.sampled_from(["2020-01-01T10:00:00", "2020-01-01 10:00:00.000001Z"]),
    }
)


@settings(max_examples=400, deadline=None)
@given(text=RULES, rows=st.lists(ROWS, min_size=1, max_size=4))
def test_one_row_a_table_and_a_request_judge_alike(text: str, rows: list[dict[str, Any]]) -> None:
    schema = Schema(columns=COLUMNS, rules=(RowRule(name="r", check=text),))
    slow = [fault for n, row in enumerate(rows, start=1) for fault in faults(schema, row, at=n)]
    frame = pl.DataFrame({n: pl.Series([row[n] for row in rows], dtype=t) for n, t in TYPES.items()})
    checked = check(frame, schema, limit=None)
    assert list(checked.faults) == slow
    assert checked.bad.to_list() == [n in {f.row for f in slow} for n in range(1, len(rows) + 1)]
    compiled = decode.compile(schema)
    refused = []
    for n, row in enumerate(rows, start=1):
        try:
            compiled.records([row], max_rows=1)
        except RequestRefused as error:
            refused.append(f"Row {n}: {str(error).removeprefix('Row 0: ')}")
    assert refused == [fault.message for fault in slow]


@pytest.mark.parametrize(
    ("text", "row", "broken"),
    [
        ("e >= d", {"d": "2020-01-02", "e": "2020-01-01"}, True),
        ("e >= d", {"d": "2020-01-02", "e": None}, False),
        ("not (e >= d)", {"d": "2020-01-02", "e": None}, False),
        ("e - d <= 30", {"d": "2020-01-01", "e": "2020-03-01"}, True),
        ("d >= '2020-01-01'", {"d": "2019-12-31"}, True),
        ("x > 1 and n > 1", {"x": None, "n": 0}, True),
        ("x > 1 or n > 1", {"x": None, "n": 0}, False),
        ("x / n > 5", {"x": 1.0, "n": 0}, False),
        ("x / n < 5", {"x": 1.0, "n": 0}, True),
        ("x / n = 5", {"x": 0.0, "n": 0}, False),
        ("n + 2 * 3 = 7", {"n": 1}, False),
        ("10 - n - 1 = 8", {"n": 1}, False),
        ("b", {"b": False}, True),
        ("NOT b OR s IN ('a', 'b')", {"b": True, "s": "c"}, True),
    ],
)
def test_meaning(text: str, row: dict[str, object], broken: bool) -> None:
    schema = Schema(columns=COLUMNS, rules=(RowRule(name="r", check=text),))
    assert bool(faults(schema, dict.fromkeys(KINDS) | row)) == broken


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("", "ends too early"),
        ("1 < 2", "names no column"),
        ("n >", "ends too early"),
        ("n > 1 2", "'2' stands where the rule should end"),
        ("n", "neither true nor false"),
        ("n > 's'", "cannot be compared"),
        ("s < t", "does not go with a string"),
        ("m > d", "cannot be compared"),
        ("d > '2020-02-30'", "is no date"),
        ("d + 1 > e", "does not go with"),
        ("nn > 1", "did you mean 'n'?"),
        ("zzz > 1", "no column 'zzz'"),
        ("n > 1; drop", "cannot be read"),
        ("len(n) > 1", "no column 'len'"),
        ("n.__class__ = 1", "there is no column 'n.__class__'"),
        ("(n > 1) + 1 = 2", "a comparison stands where a value should"),
        ("(n > 1", "')' is missing"),
        ("n in (1", "')' is missing"),
        ("n > 1 and", "ends too early"),
        ("null = n", "'null' stands where"),
        ("(" * 60 + "n > 1", "nested too deeply"),
        ("not " * 60 + "b", "nested too deeply"),
        ("-" * 60 + "n > 1", "nested too deeply"),
        ("n > 1" + " " * LONGEST, "more than"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, clause: str) -> None:
    with pytest.raises(BadExpression, match=re.escape(clause)):
        parse(text, KINDS)


def test_rows_of_features_alone_are_held_to_the_rules_between_features() -> None:
    whole = Schema(
        columns=(*COLUMNS, Column(name="f", kind="integer", forbidden=True)),
        target="b",
        key=("t",),
        rules=tuple(
            RowRule(name=name, check=text)
            for name, text in (("1", "x > n"), ("2", "x > f"), ("3", "b or x > 1"), ("4", "t = s"))
        ),
    )
    alone = of_features(whole)
    assert [rule.name for rule in alone.rules] == ["1"]
    rows = pl.DataFrame({c.name: [None] for c in alone.columns}).with_columns(x=pl.lit(1.0), n=pl.lit(2))
    assert [fault.field for fault in check(rows, alone).faults] == ["1"]


def test_columns_are_those_it_names() -> None:
    assert parse("`y y` > n or x > n", KINDS).columns == ("y y", "n", "x")


def test_rows_of_python_dates_judge_as_texts_do() -> None:
    schema = Schema(columns=COLUMNS, rules=(RowRule(name="r", check="e >= d and m > '2020-01-01'"),))
    row = dict.fromkeys(KINDS) | {
        "d": dt.date(2020, 1, 2),
        "e": dt.date(2020, 1, 1),
        "m": dt.datetime(2020, 5, 1),
    }
    assert [fault.field for fault in faults(schema, row)] == ["r"]
