"""What outcomes say of a version: figures that can be told, and how many tests there are."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from modelyard.monitoring import Bound, Evidence, Hindsight, Part
from modelyard.monitoring.realised import live_quality
from modelyard.monitoring.terms import Judged
from modelyard.records.finding import Finding
from modelyard.records.package import Layout, Manifest
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.settings import MonitorSettings

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WINDOWS, N = 6, 60


def known(task: Any, truth: Any, said: Any, chance: Any, **fields: Any) -> Hindsight:
    window = np.repeat(np.arange(WINDOWS), N)
    at = pl.Series([NOON + HOUR * int(w) for w in window], dtype=pl.Datetime("us", "UTC"))
    classes = () if task == "regression" else (0, 1)
    manifest = Manifest(
        model="screening",
        task=task,
        classes=classes,
        form="native",
        frame="numpy",
        schema=Schema(columns=(Column(name="y", kind="integer"),), target="y"),
        layout=Layout(numbers=(), texts=()),
        requirements=(),
        python="3.12",
        files=(),
    )
    return Hindsight(
        manifest=manifest,
        rows=pl.DataFrame({"at": at, "arrived": at, "values": np.ones(len(at), dtype=np.int64)}),
        judged=Judged(task, len(classes), truth, said, chance, window),
        **({"metric": "roc_auc"} | fields),
    )


def look(found: Hindsight, hour: int = WINDOWS - 1) -> list[Finding]:
    nothing = Profile(rows=0, columns=())
    evidence = Evidence(
        settings=MonitorSettings(),
        environment="prod",
        model="screening",
        version=1,
        start=NOON + HOUR * hour,
        end=NOON + HOUR * (hour + 1),
        reference=nothing,
        window=nothing,
        rows=found.rows,
        hindsight=found,
    )
    return list(live_quality(evidence))


def two(rng: np.random.Generator, *, last: int | None = None) -> Any:
    truth = rng.integers(0, 2, WINDOWS * N)
    if last is not None:
        truth[-N:] = last
    chance = np.clip(rng.normal(0.2 + 0.6 * truth, 0.2), 0.01, 0.99)
    return truth, (chance > 0.5).astype(int), np.stack([1 - chance, chance], axis=1)


@pytest.mark.parametrize("last", [0, 1])
def test_a_window_of_one_class_is_told_by_what_is_known_so_far(last: int) -> None:
    bound = Bound(metric="roc_auc", value=0.9, reason="its gate")
    found = look(known("binary", *two(np.random.default_rng(1), last=last), bound=bound))
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Finding]) == found
    [area] = [f for f in found if f.statistic == "roc_auc"]
    assert area.window_rows == WINDOWS * N
    assert "so far" in area.sentence


def test_an_area_without_any_of_a_class_is_not_told() -> None:
    truth, said, chance = two(np.random.default_rng(2))
    bound = Bound(metric="roc_auc", value=0.9, reason="its gate")
    found = look(known("binary", truth * 0, said, chance, bound=bound))
    assert "roc_auc" not in {f.statistic for f in found}
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Finding]) == found


def test_an_error_beyond_all_numbers_alerts_and_is_kept() -> None:
    truth = np.full(WINDOWS * N, 1e300)
    bound = Bound(metric="rmse", value=1.0, reason="its gate")
    found = look(known("regression", truth, np.zeros(len(truth)), None, metric="rmse", bound=bound))
    assert [f.alert for f in found if f.statistic == "rmse"] == [True]
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Finding]) == found


def test_slices_count_before_they_have_rows() -> None:
    rng = np.random.default_rng(3)
    truth, said, chance = two(rng)
    rows = np.arange(0, WINDOWS * N, 3)
    said[rows[::4]] = 1 - truth[rows[::4]]
    part = Part(name="sex is f", rows=rows, bound=Bound(metric="accuracy", value=0.8, reason="test split"))
    whole = Bound(metric="accuracy", value=0.5, reason="its gate")
    p = {}
    for slices in (1, 40):
        words = {"bound": whole, "parts": [part], "slices": slices, "metric": "accuracy"}
        [told] = [f for f in look(known("binary", truth, said, chance, **words)) if f.slice]
        assert told.p_value is not None
        p[slices] = told.p_corrected
        assert told.p_corrected == pytest.approx(min(1.0, told.p_value * slices / 0.5))
    assert p[1] != p[40]
