"""Point-in-time joins against the definition, row by row; and one row of each key."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.data.shaping.asof import join_all
from modelyard.data.shaping.duplicates import deduplicate
from modelyard.data.shaping.reading import Table
from modelyard.data.shaping.settled import Settled
from modelyard.errors import DataRefused, SettingsError
from modelyard.settings import AsOfSettings, DeduplicateSettings

DAY = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
KEYS = st.sampled_from(["a", "b", "c", None])
TICKS = st.one_of(st.none(), st.integers(0, 12))
ROWS = st.lists(st.tuples(KEYS, TICKS), min_size=1, max_size=40)


def settled(frame: pl.DataFrame, folder: Path) -> Settled:
    frame.write_parquet(folder / "rows.parquet", row_group_size=7)
    return Settled(folder / "rows.parquet")


def table(frame: pl.DataFrame, folder: Path) -> Table:
    half = frame.height // 2
    parts = (folder / "f0.parquet", folder / "f1.parquet")
    frame.head(half).write_parquet(parts[0])
    frame.tail(frame.height - half).write_parquet(parts[1])
    return Table(parts, tuple(frame.columns), frame.height)


def joined(rows: pl.DataFrame, features: pl.DataFrame, room: int = 2**27, **asked: Any) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        settings = AsOfSettings(**{"source": "labs", "on": "known", "at": "at", "by": "who", **asked})
        out = join_all(
            settled(rows, folder), [settings], {"labs": table(features, folder)}, folder / "w", room=room
        )
        return pl.read_parquet(out.path)


def moments(ticks: list[int | None], kind: str) -> pl.Series:
    if kind == "integer":
        return pl.Series(ticks, dtype=pl.Int64)
    step = {"date": dt.timedelta(days=1), "datetime": dt.timedelta(hours=1)}[kind]
    found = pl.Series([None if t is None else DAY + t * step for t in ticks], dtype=pl.Datetime("us", "UTC"))
    return found.dt.date() if kind == "date" else found


def naive(
    rows: list[tuple[str | None, int | None]],
    features: list[tuple[str | None, int | None]],
    tolerance: int | None,
    strict: bool,
) -> list[int | None]:
    """For each row the number of the feature row that was the latest known; O(n*m)."""
    answer: list[int | None] = []
    for who, at in rows:
        best: int | None = None
        for number, (whose, known) in enumerate(features):
            if None in (who, at, whose, known) or whose != who:
                continue
            age = at - known  # type: ignore[operator]
            if age < 0 or (strict and age == 0) or (tolerance is not None and age > tolerance):
                continue
            if best is None or (known, number) >= (features[best][1], best):  # type: ignore[operator]
                best = number
        answer.append(best)
    return answer


@given(
    rows=ROWS,
    features=ROWS,
    kind=st.sampled_from(["integer", "date", "datetime"]),
    tolerance=st.one_of(st.none(), st.integers(0, 6)),
    strict=st.booleans(),
    room=st.sampled_from([64, 400, 2**27]),
)
def test_each_row_gets_the_latest_that_was_known_and_nothing_later(
    rows: list[tuple[str | None, int | None]],
    features: list[tuple[str | None, int | None]],
    kind: str,
    tolerance: int | None,
    strict: bool,
    room: int,
) -> None:
    left = pl.DataFrame(
        {
            "who": pl.Series([r[0] for r in rows], dtype=pl.String),
            "at": moments([r[1] for r in rows], kind),
            "n": range(len(rows)),
        }
    )
    right = pl.DataFrame(
        {
            "who": pl.Series([f[0] for f in features], dtype=pl.String),
            "known": moments([f[1] for f in features], kind),
            "number": range(len(features)),
        }
    )
    unit = {"integer": "", "date": "d", "datetime": "h"}[kind]
    asked = {} if tolerance is None else {"tolerance": f"{tolerance}{unit}"}
    found = joined(left, right, room, strict=strict, columns=("number", "known"), **asked)
    assert found["n"].to_list() == list(range(len(rows)))
    assert found["number"].to_list() == naive(rows, features, tolerance, strict)
    later = found.filter(pl.col("known") > pl.col("at"))
    assert later.is_empty(), later


@given(
    rows=st.lists(st.tuples(KEYS, TICKS), min_size=1, max_size=40),
    keep=st.sampled_from(["first", "last"]),
    by=st.booleans(),
    ordered=st.booleans(),
    room=st.sampled_from([64, 2**27]),
)
def test_one_row_of_each_key_stays_whatever_the_buckets(
    rows: list[tuple[str | None, int | None]], keep: Any, by: bool, ordered: bool, room: int
) -> None:
    frame = pl.DataFrame(
        {
            "who": pl.Series([r[0] for r in rows], dtype=pl.String),
            "at": pl.Series([r[1] for r in rows], dtype=pl.Int64),
            "n": range(len(rows)),
        }
    )
    with tempfile.TemporaryDirectory() as made:
        setting = DeduplicateSettings(keep=keep, by="at") if by else keep
        out = deduplicate(
            settled(frame, Path(made)),
            ["who"],
            setting,
            Path(made) / "w",
            ordered=ordered or not by,
            room=room,
        )
        kept = pl.read_parquet(out.path)["n"].to_list()
    wanted = []
    for who in {r[0] for r in rows}:
        numbers = [n for n, r in enumerate(rows) if r[0] == who]
        if who is None:
            wanted += numbers
            continue
        sign = 1 if keep == "last" else -1
        # Without an order of the rows equal ones go by their values, of which `n` is the only other.
        wanted.append(
            max(
                numbers,
                key=lambda n: ((rows[n][1] is not None, sign * (rows[n][1] or 0)) if by else (), sign * n),
            )
        )
    assert kept == sorted(wanted)


def test_without_a_key_rows_are_the_same_when_all_their_values_are(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1, None, 1, None, 2], "y": ["a", None, "a", None, "a"]})
    out = deduplicate(settled(frame, tmp_path), [], "first", tmp_path / "w", ordered=True, room=32)
    assert pl.read_parquet(out.path).rows() == [(1, "a"), (None, None), (2, "a")]


def test_a_day_beside_times_is_known_only_when_it_is_over() -> None:
    rows = pl.DataFrame({"who": ["a"] * 3, "at": [DAY + dt.timedelta(hours=h) for h in (-1, 23, 24)]})
    days = pl.DataFrame({"who": ["a"], "known": [DAY.date()], "x": [1]})
    assert joined(rows, days)["x"].to_list() == [None, None, 1]
    times = pl.DataFrame({"who": ["a"], "known": [DAY + dt.timedelta(hours=1)], "x": [1]})
    on_days = pl.DataFrame({"who": ["a"] * 2, "at": [DAY.date(), DAY.date() + dt.timedelta(days=1)]})
    assert joined(on_days, times)["x"].to_list() == [None, 1]


def test_zones_are_one_time_and_naive_times_are_utc() -> None:
    noon = DAY + dt.timedelta(hours=12)
    zoned = pl.Series([noon]).dt.convert_time_zone("Asia/Tokyo")
    rows = pl.DataFrame({"who": ["a"], "at": zoned})
    naive_times = pl.Series(
        [noon.replace(tzinfo=None), (noon + dt.timedelta(minutes=1)).replace(tzinfo=None)]
    )
    features = pl.DataFrame({"who": ["a", "a"], "known": naive_times, "x": [1, 2]})
    assert joined(rows, features)["x"].to_list() == [1]
    nano = pl.Series([noon]).dt.cast_time_unit("ns")
    assert joined(pl.DataFrame({"who": ["a"], "at": nano}), features)["x"].to_list() == [1]


def test_several_keys_other_names_and_no_key_at_all() -> None:
    rows = pl.DataFrame({"site": [1, 1, 2], "who": ["a", "b", "a"], "at": [5, 5, 5]})
    features = pl.DataFrame(
        {"place": [1, 2, 1], "pid": ["a", "a", "b"], "known": [1, 2, 6], "x": [10.0, 20.0, 30.0]}
    )
    found = joined(rows, features, by={"site": "place", "who": "pid"}, prefix="f_")
    assert found.to_dict(as_series=False) == {
        "site": [1, 1, 2],
        "who": ["a", "b", "a"],
        "at": [5, 5, 5],
        "f_x": [10.0, None, 20.0],
    }
    assert joined(rows, features, by=(), columns=("x",))["x"].to_list() == [20.0, 20.0, 20.0]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"on": "knwn"},
            r"'asof' of 'labs': 'on' is 'knwn', but 'labs' has no such column; did you mean 'known'",
        ),
        ({"at": "when"}, r"'at' is 'when', but the rows have no such column"),
        ({"by": "n"}, r"'by' is 'n', but 'labs' has no such column"),
        ({"by": {"n": "who"}}, r"'n' of the rows is integer and 'who' of 'labs' is string; cast them"),
        ({"by": {"half": "half"}}, r"'half' of the rows is float"),
        ({"on": "who"}, r"'at' of the rows is integer and 'who' of 'labs' is string; both must be"),
        (
            {"tolerance": "30d"},
            r"'tolerance' is '30d', but 'known' is integer; write '30d' for times and '30'",
        ),
        ({"columns": ("y",)}, r"'columns' is 'y', but 'labs' has no such column"),
        ({"columns": ("half",)}, r"gives a column 'half', and there is one already; set 'prefix'"),
    ],
)
def test_settings_that_the_tables_contradict(asked: dict[str, Any], says: str) -> None:
    rows = pl.DataFrame({"who": ["a"], "at": [1], "n": [1], "half": [0.5]})
    features = pl.DataFrame({"who": ["a"], "known": [1], "x": [1], "half": [0.5]})
    with pytest.raises((SettingsError, DataRefused), match=says):
        joined(rows, features, **asked)
