"""How time is cut into windows, whatever the clocks do."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import Misuse
from modelyard.monitoring import Span, between, counted, last, newest, period
from modelyard.settings import MonitorSettings
from modelyard.settings.spans import span

HOUR = dt.timedelta(hours=1)
MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2090, 1, 1), timezones=st.just(dt.UTC))
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
)


def utc(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=dt.UTC)  # type: ignore[arg-type, misc]


def cut(window: str, zone: str = "UTC", every: str | None = None) -> MonitorSettings:
    return MonitorSettings(window=window, timezone=zone, every=every)


def test_days_in_berlin_have_23_and_25_hours_when_the_clocks_change() -> None:
    spring = between(cut("day", "Europe/Berlin"), utc(2026, 3, 27, 23), utc(2026, 3, 30, 22))
    assert [(one.end - one.start) // HOUR for one in spring] == [24, 23, 24]
    autumn = between(cut("day", "Europe/Berlin"), utc(2026, 10, 23, 22), utc(2026, 10, 26, 23))
    assert [(one.end - one.start) // HOUR for one in autumn] == [24, 25, 24]
    assert autumn[1].start == utc(2026, 10, 24, 22)


def test_an_hour_that_the_clock_strikes_twice_is_two() -> None:
    night = between(cut("hour", "Europe/Berlin"), utc(2026, 10, 24, 22), utc(2026, 10, 25, 4))
    assert night == [
        Span(utc(2026, 10, 24, 22) + i * HOUR, utc(2026, 10, 24, 23) + i * HOUR) for i in range(6)
    ]


@given(MOMENTS, st.sampled_from(["hour", "day", "week", "month"]), st.sampled_from(ZONES))
def test_the_calendar_leaves_nothing_out_and_nothing_twice(moment: dt.datetime, unit: str, zone: str) -> None:
    found = last(cut(unit, zone), 14, moment)
    assert len(found) == 14
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[-1] == newest(cut(unit, zone), moment)
    assert found[-1].end <= moment
    assert between(cut(unit, zone), found[0].start, moment) == found
    local = found[3].start.astimezone(dt.UTC if zone == "UTC" else _zone(zone))
    assert (local.minute, local.second) in ((0, 0), (30, 0))
    if unit != "hour" and zone != "America/Sao_Paulo":  # where midnight itself was left out once a year
        assert local.hour == 0


def _zone(name: str) -> dt.tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


@given(MOMENTS, st.sampled_from(["15m", "1h", "7d"]), st.integers(1, 30))
def test_windows_of_a_length_are_the_same_ones_at_any_later_time(
    moment: dt.datetime, length: str, n: int
) -> None:
    found = last(cut(length), n, moment)
    assert len(found) == n
    assert all(one.end - one.start == span(length) for one in found)
    assert found[-1].end <= moment < found[-1].end + span(length)
    assert last(cut(length), n + 1, moment + span(length))[:-1] == found


def test_sliding_windows_overlap() -> None:
    found = last(cut("1h", every="15m"), 3, utc(2026, 10, 24, 3, 17))
    assert [(one.start.hour, one.start.minute) for one in found] == [(1, 45), (2, 0), (2, 15)]
    assert all(one.end - one.start == HOUR for one in found)
    since = between(cut("1h", every="30m"), utc(2026, 1, 1, 0, 10), utc(2026, 1, 1, 3))
    assert [one.start.minute for one in since] == [30, 0, 30, 0]


def test_the_newest_of_a_length_ends_now() -> None:
    assert newest(cut("30m"), utc(2026, 1, 1, 0, 10)) == Span(
        utc(2025, 12, 31, 23, 40), utc(2026, 1, 1, 0, 10)
    )


@pytest.mark.parametrize("window", ["99999d", "month"])
def test_more_windows_than_there_ever_were(window: str) -> None:
    with pytest.raises(Misuse, match="before the calendar begins"):
        last(cut(window), 100_000, utc(2026, 1, 1))
    assert newest(cut(window), utc(2026, 1, 1)).end <= utc(2026, 1, 1)


def test_as_many_as_one_run_may_examine_also_where_one_has_just_ended() -> None:
    assert len(last(cut("1h"), 10_000, utc(2026, 1, 1))) == 10_000


@given(st.lists(st.integers(0, 20), min_size=0, max_size=60), st.integers(1, 12), st.integers(1, 12))
def test_windows_of_rows_hold_as_many_and_cover_all_but_a_rest(
    seconds: list[int], size: int, step: int
) -> None:
    times = [utc(2026, 1, 1) + dt.timedelta(seconds=s) for s in sorted(seconds)]
    found = counted(cut(f"{size} rows", every=f"{step} rows"), times)
    held = [sum(one.start <= t < one.end for t in times) for one in found]
    assert all(n >= size for n in held)
    if len(set(seconds)) == len(seconds):
        assert all(n == size for n in held)
    tumbling = counted(cut(f"{size} rows"), times)
    assert all(a.end <= b.start for a, b in pairwise(tumbling))
    assert counted(cut(f"{size} rows"), [*times, utc(2027, 1, 1)])[: len(tumbling)] == tumbling
    rest = [t for t in times if not tumbling or t >= tumbling[-1].end]
    assert len(rest) < size or len(set(rest)) < len(rest)
    assert all(one.end > one.start for one in found)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-10", utc(2026, 9, 30, 22), utc(2026, 10, 31, 23)),
        ("2026-W43", utc(2026, 10, 18, 22), utc(2026, 10, 25, 23)),
        ("2026-10-25", utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        ("2026-10-25T14", utc(2026, 10, 25, 13), utc(2026, 10, 25, 14)),
    ],
)
def test_a_window_is_named_as_people_name_it(text: str, start: dt.datetime, end: dt.datetime) -> None:
    assert period(text, "Europe/Berlin", utc(2027, 1, 1)) == Span(start, end)
    assert period(text, "Europe/Berlin", start + HOUR / 2) == Span(start, start + HOUR / 2), (
        "what has passed of it"
    )
    with pytest.raises(Misuse, match="has not begun"):
        period(text, "Europe/Berlin", start)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-W54", "2026-02-30", "2026-10-25T25", "yesterday", "9999-12"]
)
def test_what_names_no_window(text: str) -> None:
    with pytest.raises(Misuse, match="names no window"):
        period(text, "UTC", utc(2027, 1, 1))


def test_too_many_windows_are_refused() -> None:
    with pytest.raises(Misuse, match="more than 10,000 windows"):
        between(cut("1s"), utc(2026, 1, 1), utc(2026, 2, 1))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"window": "0h"}, "window"),
        ({"window": "fortnight"}, "window"),
        ({"window": "day", "every": "1h"}, "calendar"),
        ({"window": "1h", "every": "10 rows"}, "both"),
        ({"timezone": "Europe/Atlantis"}, "time zone"),
        ({"timezone": "../etc"}, "time zone"),
    ],
)
def test_settings_that_make_no_windows(given_: dict[str, str], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(given_, MonitorSettings)
