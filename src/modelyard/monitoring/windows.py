"""How time is cut into windows: by length, by the calendar, or by how many predictions there are.

A window is a span ``[start, end)`` in UTC whatever it was cut by. Windows of one length begin at multiples of it
since 1970, so that the same ones are found at any later time; those of the calendar where the local
clock strikes, so that a day has 23 or 25 hours twice a year.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from modelyard.errors import Misuse
from modelyard.settings.monitor import MonitorSettings
from modelyard.settings.spans import span

MOST = 10_000
"""Windows that one run may examine."""
_MOMENT = dt.timedelta(microseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Unit = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True, order=True)
class Span:
    """From ``start`` up to, not including, ``end``; in UTC."""

    start: dt.datetime
    end: dt.datetime


def by_rows(settings: MonitorSettings) -> int | None:
    """How many predictions a window has, where it is cut by them."""
    return int(settings.window.split()[0]) if settings.window.endswith(" rows") else None


def length(settings: MonitorSettings) -> dt.timedelta:
    """About how long a window is; of those cut by rows an hour."""
    if by_rows(settings) is not None:
        return dt.timedelta(hours=1)
    if settings.window[0].isdigit():
        return span(settings.window)
    return {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1), "week": dt.timedelta(days=7)}.get(
        settings.window, dt.timedelta(days=30)
    )


def newest(settings: MonitorSettings, now: dt.datetime) -> Span:
    """The window that ends now, or the last one of the calendar that is over."""
    if settings.window[0].isdigit():
        return Span(now - span(settings.window), now)
    unit, zone = _calendar(settings)
    end = _floor(now, unit, zone)
    return Span(_floor(end - _MOMENT, unit, zone), end)


def between(settings: MonitorSettings, since: dt.datetime, until: dt.datetime) -> list[Span]:
    """The windows, by time or calendar, that begin at ``since`` or later and are over by ``until``, in order.

    Raises ``Misuse`` for more than ``MOST``.
    """
    found = []
    for one in _onwards(settings, since):
        if one.end > until:
            break
        found.append(one)
        if len(found) > MOST:
            raise Misuse(f"From {since:%Y-%m-%d} on there are more than {MOST:,} windows; begin later.")
    return found


def last(settings: MonitorSettings, count: int, now: dt.datetime) -> list[Span]:
    """The newest ``count`` windows by time or calendar that are over; raises ``Misuse`` for more than there ever were."""
    try:
        if settings.window[0].isdigit():
            step = span(settings.every or settings.window)
            since = now - span(settings.window) - step * count
            return between(settings, since + _MOMENT, now)
        unit, zone = _calendar(settings)
        starts = [_floor(now, unit, zone)]
        for _ in range(count):
            starts.append(_floor(starts[-1] - _MOMENT, unit, zone))
        return [Span(start, end) for start, end in pairwise(reversed(starts))]
    except OverflowError:
        raise Misuse(
            f"{count:,} windows of '{settings.window}' go back before the calendar begins; ask for fewer."
        ) from None


def counted(settings: MonitorSettings, times: Sequence[dt.datetime]) -> list[Span]:
    """Windows of so many predictions each, from the first of ``times`` (ascending) on; a rest is left out.

    Predictions of one moment stay together, so that a window may hold some more. It ends right after its own last
    prediction, so that it is the same window whatever came since.
    """
    size = by_rows(settings) or 1
    step = int(settings.every.split()[0]) if settings.every else size
    found, at = [], 0
    while at + size <= len(times):
        after = _past(times, at + size - 1)
        found.append(Span(times[at], times[after - 1] + _MOMENT))
        nearer = _past(times, at + step - 1) if step < size else after
        at = max(nearer, at + 1)
    return found


def period(text: str, timezone: str, now: dt.datetime) -> Span:
    """``2026-11`` (a month), ``2026-W47``, ``2026-11-20`` or ``2026-11-20T14`` (an hour) of that time zone's calendar;
    of one that is not over what has passed.

    A window that ended in the future would make all that come before its end history. Raises ``Misuse`` for anything
    else, and for what has not begun.
    """
    zone = _zone(timezone)
    forms: dict[Unit, tuple[str, str]] = {
        "month": (r"\d{4}-\d{2}", "-01T00:00"),
        "week": (r"\d{4}-W\d{2}", "-1T00:00"),
        "day": (r"\d{4}-\d{2}-\d{2}", "T00:00"),
        "hour": (r"\d{4}-\d{2}-\d{2}T\d{2}", ":00"),
    }
    for unit, (form, rest) in forms.items():
        if re.fullmatch(form, text):
            try:
                start = dt.datetime.fromisoformat(text + rest).replace(tzinfo=zone).astimezone(dt.UTC)
                end = _after(start, unit, zone)
            except (ValueError, OverflowError):
                break
            if start >= now:
                raise Misuse(f"The window '{text}' has not begun; ask for one that has.")
            return Span(start, min(end, now))
    raise Misuse(
        f"'{text}' names no window; write a month (2026-11), a week (2026-W47), a day (2026-11-20) or "
        "an hour (2026-11-20T14)."
    )


def _onwards(settings: MonitorSettings, since: dt.datetime) -> Iterator[Span]:
    if settings.window[0].isdigit():
        length, step = span(settings.window), span(settings.every or settings.window)
        start = _EPOCH + -((_EPOCH - since) // step) * step  # the first multiple that is not before
        start = start if start >= since else start + step
        while True:
            yield Span(start, start + length)
            start += step
    unit, zone = _calendar(settings)
    start = _floor(since, unit, zone)
    start = start if start >= since else _after(start, unit, zone)
    while True:
        end = _after(start, unit, zone)
        yield Span(start, end)
        start = end


def _past(times: Sequence[dt.datetime], at: int) -> int:
    """The first place after ``at`` whose moment is a later one."""
    if at >= len(times):
        return len(times)
    moment, after = times[at], at + 1
    while after < len(times) and times[after] == moment:
        after += 1
    return after


def _calendar(settings: MonitorSettings) -> tuple[Unit, dt.tzinfo]:
    units: dict[str, Unit] = {"hour": "hour", "day": "day", "week": "week", "month": "month"}
    return units[settings.window], _zone(settings.timezone)


def _zone(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else ZoneInfo(name)


def _floor(moment: dt.datetime, unit: Unit, zone: dt.tzinfo) -> dt.datetime:
    """Where the unit that holds the moment begins."""
    local = moment.astimezone(zone)
    if unit == "hour":
        # an hour that the clock strikes twice is two, so it is told by what has passed of it
        passed = dt.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return moment.astimezone(dt.UTC) - passed
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "week":
        day -= dt.timedelta(days=day.weekday())
    elif unit == "month":
        day = day.replace(day=1)
    return day.astimezone(dt.UTC)


def _after(start: dt.datetime, unit: Unit, zone: dt.tzinfo) -> dt.datetime:
    """Where the next unit begins, from the begin of one."""
    if unit == "hour":
        return _floor(start + dt.timedelta(hours=1), unit, zone)
    days = {"day": 1.5, "week": 7.5, "month": 31.5}[unit]  # past the next begin, whatever the clocks did
    return _floor(start + dt.timedelta(days=days), unit, zone)
