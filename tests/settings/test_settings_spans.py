"""Lengths of time, wherever settings have one."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from modelyard.settings import MonitorSettings, PolicySettings
from modelyard.settings.alerts import AlertSettings
from modelyard.settings.spans import span


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", dt.timedelta(seconds=90)),
        ("30m", dt.timedelta(minutes=30)),
        ("1h", dt.timedelta(hours=1)),
        ("7d", dt.timedelta(days=7)),
    ],
)
def test_spans(text: str, length: dt.timedelta) -> None:
    assert span(text) == length


@pytest.mark.parametrize(
    "text", ["", "h", "1", "0h", "-1h", "1.5h", "1w", "1 h", "²h", "9999999s", "100000d"]
)
def test_what_is_no_span(text: str) -> None:
    for settings, key in (
        (AlertSettings, "escalate_after"),
        (PolicySettings, "cool_down"),
        (MonitorSettings, "window"),
        (MonitorSettings, "max_age"),
    ):
        with pytest.raises(msgspec.ValidationError, match="Expected `str` matching"):
            msgspec.convert({key: text}, settings)


@pytest.mark.parametrize("text", ["999999s", "999999h", "99999d"])
def test_any_moment_less_the_longest_is_one_still(text: str) -> None:
    assert msgspec.convert({"escalate_after": text}, AlertSettings)
    assert dt.datetime(2026, 1, 1) - span(text) > dt.datetime(1000, 1, 1)
