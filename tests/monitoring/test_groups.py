"""Groups judged after every window: how often that is wrong, how soon it is right, what is too few."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelyard.actions.groups import groups_of
from modelyard.monitoring import Evidence, Peopled, nobody
from modelyard.monitoring.groups import fairness
from modelyard.records.finding import Finding
from modelyard.records.gate import FairnessRule
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Kind, Schema
from modelyard.settings import MonitorSettings
from modelyard.tables.gather import gather
from modelyard.tables.kinds import DTYPES
from modelyard.tables.profile import anchor, count

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
N, WINDOWS = 80, 16
NAMES = ("f", "m", "x")


def people(
    rng: np.random.Generator,
    rates: Sequence[Sequence[float]],
    *,
    shares: Sequence[float] = (0.5, 0.5),
    by: str = "sex",
    metric: Any = "equal_opportunity",
    **bounds: float,
) -> Peopled:
    """Of each window the chance of a hit by group; half of the rows are positive, others are always answered so."""
    window = np.repeat(np.arange(len(rates)), N)
    codes = rng.choice(len(shares), len(window), p=shares)
    positive = rng.random(len(window)) < 0.5
    hit = rng.random(len(window)) < np.array(rates)[window, codes]
    said = hit if metric == "demographic_parity" else np.where(positive, hit, True)
    return Peopled(
        rule=FairnessRule(by=by, metric=metric, **bounds),
        min_rows=30,
        labels=NAMES[: len(shares)],
        codes=codes.astype(np.intp),
        said=said,
        positive=positive,
        window=window.astype(np.intp),
        at=pl.Series("at", [NOON + HOUR * int(w) for w in window], dtype=pl.Datetime("us", "UTC")),
    )


def look(*groups: Peopled, after: int = WINDOWS - 1) -> list[Finding]:
    end = NOON + HOUR * (after + 1)
    nothing = Profile(rows=0, columns=())
    evidence = Evidence(
        settings=MonitorSettings(),
        environment="prod",
        model="screening",
        version=1,
        start=end - HOUR,
        end=end,
        reference=nothing,
        window=nothing,
        groups=[one.until(end) for one in groups],
    )
    return list(fairness(evidence))


def first_alarm(*groups: Peopled) -> int | None:
    return next((w for w in range(WINDOWS) if any(f.alert for f in look(*groups, after=w))), None)


@pytest.mark.parametrize("bounds", [{"max_gap": 0.2}, {"min_ratio": 0.75}])
@pytest.mark.parametrize("metric", ["equal_opportunity", "demographic_parity"])
def test_at_its_very_bound_a_gap_alarms_in_fewer_than_one_course_of_twenty(
    metric: str, bounds: dict[str, float]
) -> None:
    rng = np.random.default_rng(1)
    courses = 60
    alarms = sum(
        first_alarm(people(rng, [(0.8, 0.6)] * WINDOWS, metric=metric, **bounds)) is not None
        for _ in range(courses)
    )
    assert alarms <= 0.05 * courses


def test_many_groups_and_columns_at_their_bound_alarm_together_as_seldom() -> None:
    rng = np.random.default_rng(2)
    rates = [(0.5, 0.5, 0.5)] * WINDOWS
    alarms = 0
    for _ in range(25):
        columns = [people(rng, rates, shares=(0.6, 0.3, 0.1), by=by, max_gap=0.0) for by in ("sex", "ward")]
        alarms += first_alarm(*columns) is not None
    assert alarms <= 2


@pytest.mark.parametrize(("metric", "most"), [("demographic_parity", 4), ("equal_opportunity", 6)])
def test_a_group_that_is_treated_worse_is_found_soon_and_since_when(metric: str, most: int) -> None:
    rng = np.random.default_rng(3)
    change = 6
    rates = [(0.8, 0.78)] * change + [(0.8, 0.35)] * (WINDOWS - change)
    found = [people(rng, rates, metric=metric, max_gap=0.1) for _ in range(20)]
    alarms = [first_alarm(one) for one in found]
    waits = [at - change + 1 for at in alarms if at is not None and at >= change]
    assert len(waits) >= 19
    assert np.median(waits) <= most
    (told,) = look(found[0])
    assert (told.kind, told.family, told.column) == ("fairness", "live_quality", "sex")
    assert told.value > 0.2
    assert told.interval is not None
    assert told.interval[0] < told.value < told.interval[1]
    assert "between f and m" in told.sentence
    assert "most likely since 2026-11-20 1" in told.sentence


def test_groups_too_small_are_said_and_never_alarm() -> None:
    rng = np.random.default_rng(4)
    rates = [(0.8, 0.8, 0.0)] * WINDOWS
    (found,) = look(people(rng, rates, shares=(0.5, 0.49, 0.01), max_gap=0.1))
    assert "too few to tell: x (" in found.sentence
    assert not found.alert
    (none,) = look(people(rng, [(0.9, 0.0)] * WINDOWS, shares=(1.0, 0.0), max_gap=0.1))
    assert "fewer than two groups" in none.sentence
    assert (none.alert, none.p_value) == (False, None)


def test_each_rate_of_equalized_odds_is_told_of_its_own_rows() -> None:
    rng = np.random.default_rng(5)
    odds = people(rng, [(0.8, 0.3)] * WINDOWS, metric="equalized_odds", max_gap=0.1, min_ratio=0.8)
    found = {f.slice: f for f in look(odds)}
    assert set(found) == {"positives", "negatives"}
    assert (found["positives"].alert, found["negatives"].alert) == (True, False)
    assert found["negatives"].value == 0.0
    assert "the ratio is 1 " in found["negatives"].sentence
    right = people(rng, [(0.8, 0.3)] * WINDOWS, metric="predictive_parity", min_ratio=0.9)
    (told,) = look(right)
    assert (told.slice, told.statistic, told.alert) == ("positive answers", "ppv_ratio", True)


def test_what_cannot_be_watched_says_why() -> None:
    rule = FairnessRule(by="sex", max_gap=0.1)
    (found,) = look(nobody(rule, 30, why="'sex' is no feature of the model"))
    assert found.sentence.endswith("is not watched: 'sex' is no feature of the model")
    (empty,) = look(nobody(rule, 30, labels=("f", "m")))
    assert "fewer than two groups" in empty.sentence
    assert not empty.alert


@pytest.mark.parametrize(
    ("kind", "learnt", "asked", "edges", "labels", "codes"),
    [
        ("string", ["f", "m", "m", None], ["f", "m", None, "z"], (), ("m", "f", "missing"), [1, 0, 2, -1]),
        ("string", ["f", "m", "m"], ["m", None], (), ("m", "f"), [0, -1]),
        ("string", [None, None], ["f", None], (), ("missing",), [-1, 0]),
        ("boolean", [True, False], [True, False, None], (), ("false", "true"), [1, 0, -1]),
        ("integer", [0, 1, 1], [0, 1, 2, None], (), ("up to 0", "above 0"), [0, 1, 1, -1]),
        (
            "float",
            [1.0, 2.0, None],
            [10.0, 11.0, None],
            (10.0,),
            ("up to 10", "above 10", "missing"),
            [0, 1, 2],
        ),
    ],
)
def test_groups_are_those_of_the_training_data_whatever_rows_come(
    kind: Kind,
    learnt: list[Any],
    asked: list[Any],
    edges: tuple[float, ...],
    labels: tuple[str, ...],
    codes: list[int],
) -> None:
    column = Column(name="g", kind=kind, nullable=True)
    schema = Schema(columns=(column,))
    batch = gather(pl.DataFrame({"g": pl.Series(learnt, dtype=DTYPES[kind])}), schema)
    held = count(batch, anchor(batch, schema)).columns[0]
    for rows in (len(asked), 1, 0):
        frame = pl.DataFrame({"g": pl.Series(asked[:rows], dtype=DTYPES[kind])})
        found, places = groups_of(held, column, frame, edges)
        assert (found, places.tolist()) == (labels, codes[:rows])
