"""Drift within slices: what all rows do not show, what is told once, and how often it is wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from modelyard.errors import SettingsError
from modelyard.monitoring import Evidence, Raw, examine
from modelyard.monitoring.judges import features, slices
from modelyard.records.finding import WindowReport
from modelyard.records.schema import Column, Schema
from modelyard.settings import MonitorSettings
from modelyard.tables.gather import gather
from modelyard.tables.profile import anchor, count

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def people(seed: int, n: int, columns: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    found: dict[str, Any] = {f"x{i}": random.normal(size=n) for i in range(columns)}
    found["region"] = random.choice(["north", "east", "south"], n, p=[0.6, 0.3, 0.1]).tolist()
    found["age"] = np.round(random.uniform(18, 90, n))
    return found


def frame(columns: dict[str, Any]) -> pl.DataFrame:
    kinds = {"region": pl.String()}
    return pl.DataFrame(
        {n: pl.Series(n, list(v), dtype=kinds.get(n, pl.Float64())) for n, v in columns.items()}
    )


def both(before: dict[str, Any], after: dict[str, Any], **options: Any) -> WindowReport:
    schema = Schema(
        columns=tuple(
            Column(name=n, kind="string" if n == "region" else "float", nullable=True) for n in before
        )
    )
    window = frame(after)
    learnt = gather(frame(before), schema)
    anchored = anchor(learnt, schema)
    rows = pl.DataFrame(
        {
            "prediction": pl.Series([0.0] * window.height, dtype=pl.Float64),
            "probability": pl.Series([None] * window.height, dtype=pl.List(pl.Float64)),
            "features": window.to_struct(),
        }
    )
    evidence = Evidence(
        settings=msgspec.convert({"slices": ["region"]} | options, MonitorSettings),
        environment="prod",
        model="screening",
        version=1,
        start=NOON,
        end=NOON + dt.timedelta(hours=1),
        reference=anchored,
        window=count(gather(window, schema), anchored),
        rows=rows,
        schema=schema,
        learnt=lambda _: Raw(learnt),
    )
    return examine(evidence, (features, slices), ())


def test_what_moves_in_one_slice_is_found_there() -> None:
    before, after = people(0, 4000), people(1, 1500)
    south = np.array(after["region"]) == "south"
    after["x1"] = after["x1"] + 0.8 * south
    report = both(before, after)
    assert [(f.column, f.slice) for f in report.alerts] == [("x1", "region is south")]
    (found,) = report.alerts
    assert "x1 moved up by 0." in found.sentence
    assert "where region is south" in found.sentence
    assert found.details
    assert found.window_rows == int(south.sum())
    assert not both(before, after, slices=[]).alerts  # all rows do not show it


def test_what_moves_everywhere_is_told_once_with_where() -> None:
    before, after = people(0, 4000), people(1, 1500)
    after["x1"] = after["x1"] + np.where(np.array(after["region"]) == "north", 1.0, 0.5)
    (found,) = both(before, after).alerts
    assert (found.column, found.slice) == ("x1", "")
    assert "; found where region is north (PSI" in found.sentence


def test_slices_of_numbers_are_quarters_of_what_was_learnt_from() -> None:
    before, after = people(0, 4000), people(1, 900)
    after["x2"] = after["x2"] + 0.6 * (after["age"] > 72) - 0.6 * (after["age"] < 36)
    found = both(before, after, slices=["age", "region"]).alerts
    assert {f.column for f in found} == {"x2"}
    assert [f.slice.split(" ")[2] for f in found] == ["up", "above"]
    assert found[1].slice.startswith("age is above 7")


def test_still_windows_alarm_at_their_rate_whatever_the_number_of_slices() -> None:
    alarms = sum(
        bool(both(people(s, 900), people(1000 + s, 400), slices=["region", "age"], min_effect=0.0).alerts)
        for s in range(60)
    )
    assert alarms <= binom.ppf(0.999, 60, 0.05)


@pytest.mark.parametrize(
    "after",
    [
        people(1, 0),
        people(1, 3),
        people(1, 300) | {"region": [None] * 300},
        people(1, 300) | {"region": ["elsewhere"] * 300},
        people(1, 300) | {"age": [np.nan] * 300, "region": ["south"] * 300},
    ],
    ids=["empty", "tiny", "no slice", "another slice", "one slice"],
)
def test_odd_windows(after: dict[str, Any]) -> None:
    report = both(people(0, 2000), after, slices=["region", "age"])
    assert not [f for f in report.alerts if f.slice and f.column.startswith("x")]


def test_odd_values_and_odd_references() -> None:
    before, after = people(0, 2000), people(1, 600)
    after["x0"] = np.full(600, np.inf)
    assert ("x0", "") in [(f.column, f.slice) for f in both(before, after, slices=["age"]).alerts]
    constant = before | {"age": np.full(2000, 40.0)}
    assert not both(constant, people(2, 600) | {"age": np.full(600, 40.0)}, slices=["age"]).alerts
    nothing = before | {"age": np.full(2000, np.nan)}
    assert not [f for f in both(nothing, people(2, 600), slices=["age"]).alerts if f.slice]


def test_a_slice_of_no_feature_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"monitor.screening.slices: 'city' is no feature of screening@1"):
        both(people(0, 200), people(1, 200), slices=["city"])
