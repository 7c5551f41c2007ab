"""The fast reading of times says what the rules say, or nothing."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.tables.moments import read_uniform
from modelyard.tables.rules import read_datetime

times = st.datetimes(min_value=dt.datetime(1, 1, 1))


@given(moments=st.lists(times, min_size=1, max_size=5), decimals=st.integers(0, 6), zone=st.booleans())
def test_times_of_one_form_are_read(moments: list[dt.datetime], decimals: int, zone: bool) -> None:
    texts = [
        t.isoformat(sep="T", timespec="microseconds")[: 20 + decimals if decimals else 19] + "Z" * zone
        for t in moments
    ]
    found = read_uniform(pl.Series([*texts, None]))
    assert found is not None
    assert found.to_list() == [*map(read_datetime, texts), None]


@given(
    text=st.from_regex(
        r"[0-2][09][0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z?", fullmatch=True
    )
)
def test_what_is_no_time_is_left_to_the_rules(text: str) -> None:
    found = read_uniform(pl.Series([text]))
    assert (None if found is None else found[0]) == read_datetime(text)


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-01-01T00:00:00", "2026-01-01T00:00:00Z"],
        ["2026-01-01T00:00:00+01:00"],
        ["2026-01-01T00:00:00."],
        ["2026-01-01T00:00:00.1234567"],
        ["2026-01-01"],
        ["٢026-01-01T00:00:0"],
        [None],
        [],
    ],
)
def test_other_forms_are_left_to_the_rules(texts: list[str | None]) -> None:
    assert read_uniform(pl.Series(texts, dtype=pl.String)) is None
