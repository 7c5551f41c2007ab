"""What a whole dataset must be."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.records.schema import Column, Schema
from modelyard.tables import expect

NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
CODES = Schema(
    columns=(
        Column(name="code", kind="string", unique=True, declared=("unique",)),
        Column(name="n", kind="integer", unique=True, warned=("unique",)),
    )
)


@given(st.lists(st.none() | st.sampled_from("abcd"), max_size=12))
def test_repeated_values_are_found_and_counted(values: list[str | None]) -> None:
    frame = pl.DataFrame({"code": pl.Series(values, dtype=pl.String), "n": range(len(values))})
    rows = [i for i, v in enumerate(values, start=1) if v is not None and values.count(v) > 1]
    found = expect.repeated(frame.lazy(), CODES)
    assert [(u.mark, u.rows, u.first, u.severity) for u in found] == (
        [("code: unique", len(rows), rows[0], "error")] if rows else []
    )
    mask = expect.repeats(frame, CODES)["code"]
    assert [i for i, bad in enumerate(mask.to_list(), start=1) if bad] == rows


def test_a_repeat_that_only_warns() -> None:
    (unmet,) = expect.repeated(pl.LazyFrame({"code": ["a", "b", "c"], "n": [7, 7, 7]}), CODES)
    assert (unmet.severity, unmet.clause) == (
        "warn",
        "'n' is declared unique, and 1 value comes more than once, in 3 rows",
    )


@pytest.mark.parametrize(("least", "most", "met"), [(3, 3, True), (4, None, False), (None, 2, False)])
def test_numbers_of_rows(least: int | None, most: int | None, met: bool) -> None:
    assert (expect.too_few_or_many(3, least=least, most=most, severity="error") == ()) == met


@pytest.mark.parametrize(
    ("values", "dtype", "within", "clause"),
    [
        ([dt.datetime(2026, 1, 30), None], pl.Datetime("us", "UTC"), 3, None),
        ([dt.datetime(2026, 1, 28)], pl.Datetime("us", "UTC"), 3, "older than the declared 3 days"),
        ([dt.date(2026, 1, 30)], pl.Date, 2, None),
        ([dt.date(2026, 1, 29)], pl.Date, 2, "2026-01-29T00:00:00+00:00"),
        ([None], pl.Date, 2, "no value"),
    ],
)
def test_freshness(values: list[object], dtype: pl.DataType, within: int, clause: str | None) -> None:
    frame = pl.LazyFrame({"seen": pl.Series(values, dtype=dtype)})
    unmet = expect.stale(
        expect.newest(frame, "seen"),
        column="seen",
        within=dt.timedelta(days=within),
        now=NOW,
        severity="error",
    )
    assert [clause in u.clause for u in unmet if clause] == ([True] if clause else [])
    assert bool(unmet) == (clause is not None)
