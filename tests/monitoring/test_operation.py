"""Errors and saturation, by what workers counted: what is found, what is left alone, and how often it is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from modelyard.errors import StoreDown
from modelyard.monitoring import Evidence, collect, examine, minutes
from modelyard.monitoring.minutes import COUNTED
from modelyard.monitoring.operation import errors, saturation
from modelyard.predictions import Writer, segments
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.minute import Minute
from modelyard.records.profile import Profile
from modelyard.records.window import ExaminedWindow, examined
from modelyard.settings import MonitorSettings

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
NOTHING = Profile(rows=0, columns=())


def counted(*each: dict[str, Any], workers: int = 2) -> pl.DataFrame:
    """One record each, a minute apart, as it is written when the minute is over."""
    usual = {"version": 1, "workers": workers, "answered": 0, "refused": 0, "overloaded": 0, "failed": 0}
    rows = [
        usual
        | {"busy": 0.0, "waiting": 1, "writer": "w", "at": NOON + dt.timedelta(minutes=n + 1, seconds=0.3)}
        | found
        for n, found in enumerate(each)
    ]
    return pl.DataFrame(rows, schema=COUNTED)


def look(
    found: pl.DataFrame, *, start: dt.datetime = NOON, history: Sequence[ExaminedWindow] = (), **options: Any
) -> WindowReport:
    return examine(
        Evidence(
            settings=msgspec.convert(options, MonitorSettings),
            environment="prod",
            model="screening",
            version=1,
            start=start,
            end=start + HOUR,
            reference=NOTHING,
            window=NOTHING,
            minutes=found,
            history=history,
        ),
        (),
        (errors, saturation),
    )


def only(report: WindowReport, slice_: str) -> Finding:
    (found,) = [f for f in report.findings if f.slice == slice_]
    return found


def test_failures_beyond_what_is_allowed_alert_and_say_how_many() -> None:
    report = look(counted({"answered": 900}, {"answered": 70, "failed": 30}))
    failed = only(report, "5xx")
    assert failed.alert
    assert (failed.kind, failed.family, failed.value) == ("errors", "operation", 0.03)
    assert failed.interval is not None
    assert failed.interval[0] > 0.01
    assert "30 of 1000 requests failed (5xx), 3 % (2.1 % to 4.3 %); 1 % is allowed" in failed.sentence
    assert not only(look(counted({"answered": 970, "failed": 30}), max_errors=0.05), "5xx").alert
    assert not only(look(counted({"answered": 40, "failed": 1})), "5xx").alert  # one says little
    assert only(look(counted({"failed": 3})), "5xx").alert  # nothing else was asked
    assert not look(counted({"answered": 990, "failed": 10})).alerts


def test_a_service_at_its_bound_alarms_at_its_rate() -> None:
    random, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        failed, turned = random.binomial(5000, 0.01, 2)
        found = counted({"answered": 5000 - failed - turned, "failed": failed, "overloaded": turned})
        alarms += bool(look(found).alerts)
    assert alarms <= binom.ppf(0.999, 300, 0.05)


def test_requests_turned_away_are_saturation() -> None:
    report = look(counted({"answered": 500, "overloaded": 50}))
    assert only(report, "429").alert
    assert only(report, "429").kind == "saturation"
    assert not only(report, "5xx").alert
    assert not only(look(counted({"answered": 500, "overloaded": 50}), max_overload=0.2), "429").alert


def test_busy_workers_are_told_by_the_minute() -> None:
    flat_out = [{"answered": 9, "busy": 118.0, "waiting": 40}] * 30
    found = only(look(counted(*flat_out)), "workers")
    assert found.alert
    assert found.value == pytest.approx(118 / 120)
    assert found.window_rows == 30
    assert "at most 40 requests waited for a turn" in found.sentence
    assert not only(look(counted(*flat_out), max_busy=0.99), "workers").alert
    one = [{"answered": 9, "busy": 1.0}] * 29 + [{"answered": 9, "busy": 119.0}]
    assert not only(look(counted(*one)), "workers").alert
    # two workers of one minute are one minute; half of the workers busy is half
    both = counted({"answered": 1, "busy": 60.0}, {"answered": 1, "busy": 60.0})
    both = both.with_columns(at=pl.lit(NOON).cast(both["at"].dtype))
    assert only(look(both), "workers").value == pytest.approx(1.0)
    assert only(look(both[:1]), "workers").value == pytest.approx(0.5)


def test_refusals_are_held_against_earlier_windows() -> None:
    random = np.random.default_rng(1)
    history: list[ExaminedWindow] = []
    alarms = 0
    for hour in range(60):
        refused = int(random.poisson(40))
        found = counted({"answered": 2000 - refused, "refused": refused})
        report = look(found, start=NOON + hour * HOUR, history=history)
        assert (only(report, "4xx").p_value is not None) == (len(history) >= 8)
        alarms += only(report, "4xx").alert
        history.insert(0, examined(report, "0" * 64))
    assert alarms == 0
    later = NOON + 60 * HOUR
    many = look(counted({"answered": 1000, "refused": 1000}), start=later, history=history)
    assert only(many, "4xx").alert
    assert "1000 of 2000 requests were refused" in only(many, "4xx").sentence
    assert "2.1 % in 60 earlier windows" in only(many, "4xx").sentence
    none = look(counted({"answered": 2000}), start=later, history=history)
    assert not none.alerts
    few = look(counted({"answered": 1, "refused": 1}), start=later, history=history)
    assert not few.alerts


@pytest.mark.parametrize("found", [pl.DataFrame(), counted(), counted({}, {})])
def test_nothing_counted_says_nothing(found: pl.DataFrame) -> None:
    assert not look(found).findings


def written(folder: Path, *each: Minute, at: dt.datetime = NOON, close: bool = True) -> Writer:
    writer = Writer(folder / "log", 0)
    writer.minutes(each, at=at.timestamp())
    writer.flush()
    if close:
        writer.close()
    return writer


def read(folder: Path, model: str = "m", end: dt.datetime = NOON + HOUR) -> pl.DataFrame:
    place = (folder / "tables", folder / "log")
    return minutes(*place, environment="prod", model=model, start=NOON, end=end)


def test_minutes_are_read_from_log_and_table_once(tmp_path: Path) -> None:
    assert read(tmp_path).is_empty()
    written(tmp_path, Minute("m", 1, 2, 7, 1, 0, 3, 0.25, 4), Minute("grün/µ", 2, 2, refused=1))
    open_one = written(tmp_path, Minute("m", 1, 2, 5), at=NOON + HOUR / 2, close=False)
    (segment, _) = segments(tmp_path / "log")
    content = segment.path.read_bytes()
    assert read(tmp_path)["answered"].to_list() == [7, 5]
    assert collect(tmp_path / "log", tmp_path / "tables", environment="prod") == 0  # no predictions
    assert read(tmp_path).row(0, named=True) | {"writer": ""} == {
        "at": NOON,
        "version": 1,
        "workers": 2,
        "answered": 7,
        "refused": 1,
        "overloaded": 0,
        "failed": 3,
        "busy": 0.25,
        "waiting": 4,
        "writer": "",
    }
    segment.path.write_bytes(content)  # as if the collector was killed before it deleted it
    assert read(tmp_path)["answered"].to_list() == [7, 5]
    collect(tmp_path / "log", tmp_path / "tables", environment="prod")
    open_one.close()
    collect(tmp_path / "log", tmp_path / "tables", environment="prod")
    assert read(tmp_path)["answered"].to_list() == [7, 5]
    assert read(tmp_path, end=NOON + HOUR / 4)["answered"].to_list() == [7]
    assert read(tmp_path, "grün/µ")["refused"].to_list() == [1]
    assert not segments(tmp_path / "log")


def test_a_damaged_table_of_minutes_is_an_outage(tmp_path: Path) -> None:
    written(tmp_path, Minute("m", 1, 2, 7))
    collect(tmp_path / "log", tmp_path / "tables", environment="prod")
    for part in tmp_path.rglob("*.parquet"):
        part.write_bytes(b"nothing")
    with pytest.raises(StoreDown, match="cannot be read"):
        read(tmp_path)
