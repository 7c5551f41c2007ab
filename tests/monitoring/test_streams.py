"""Detectors row by row: how often they are wrong, how soon they are right, and that no alarm is told twice or lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from modelyard.monitoring import Bound, Evidence, Hindsight, examine
from modelyard.monitoring.streams import RATES, alarms, errors_stream, scores_stream
from modelyard.monitoring.terms import Judged
from modelyard.records.finding import Finding
from modelyard.records.package import Layout, Manifest
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.records.window import ExaminedWindow, examined
from modelyard.settings import MonitorSettings
from modelyard.tables.profile import anchor_answers, count_answers

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SCHEMA = Schema(columns=(Column(name="a", kind="float"), Column(name="ill", kind="string")), target="ill")
NOTHING = Profile(rows=0, columns=())


def manifest(task: Any = "binary") -> Manifest:
    return Manifest(
        model="screening",
        task=task,
        classes=() if task == "regression" else ("no", "yes"),
        form="onnx",
        frame="pandas",
        schema=SCHEMA,
        layout=Layout(numbers=("a",), texts=()),
        requirements=(),
        python="3.11",
        files=(),
    )


def stepwise(terms: Sequence[float], budget: float) -> list[int]:
    """The same, as it is defined."""
    stakes, found = np.zeros(len(RATES)), []
    for at, term in enumerate(terms):
        stakes = (1 + stakes) * (1 + RATES * term)
        if stakes.mean() >= budget:
            found.append(at)
            stakes[:] = 0
    return found


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 2.0, 19.0]), max_size=400), st.sampled_from([3.0, 50.0]))
def test_it_is_what_it_is_defined_as_and_later_rows_change_no_alarm(
    terms: list[float], budget: float
) -> None:
    every = alarms(np.array(terms), budget)
    assert [alarm.at for alarm in every] == stepwise(terms, budget)
    half = len(terms) // 2
    assert alarms(np.array(terms[:half]), budget) == [alarm for alarm in every if alarm.at < half]


@pytest.mark.parametrize("bound", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("budget", [200, 5000])
def test_at_its_bound_it_alarms_no_more_often_than_it_says(bound: float, budget: int) -> None:
    random = np.random.default_rng(budget)
    wrong = random.random(200_000) < bound
    found = alarms((wrong - bound) / bound, budget)
    assert len(found) <= poisson.ppf(0.999, 200_000 / budget)
    assert found or budget > 1000  # it is no detector that never says anything


def test_it_sees_a_loss_soon_and_when_it_began() -> None:
    delays, off = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        wrong = random.random(4000) < np.where(np.arange(4000) < 2000, 0.1, 0.3)
        found = [alarm for alarm in alarms((wrong - 0.1) / 0.1, 10_000) if alarm.at >= 2000]
        delays.append(found[0].at - 2000)
        off.append(abs(found[0].since - 2000))
    assert np.median(delays) < 100
    assert np.median(off) < 40


@pytest.mark.parametrize(
    ("terms", "places"),
    [
        ([], []),
        ([1.0], []),
        ([-1.0] * 3000, []),
        ([0.0] * 3000, [999, 1999, 2999]),  # always at the bound: as often as it may
        ([1e12] * 2, [0, 1]),
        ([-1.0] * 100 + [1e12, -1.0], [100]),
    ],
    ids=["empty", "one", "never", "at the bound", "huge", "one is huge"],
)
def test_odd_streams(terms: list[float], places: list[int]) -> None:
    assert [alarm.at for alarm in alarms(np.array(terms), 1000)] == places


class Course:
    """Outcomes at one a second, and the windows that were looked at."""

    def __init__(self, wrong: np.ndarray[Any, Any], task: Any = "binary") -> None:
        n = len(wrong)
        truth = np.zeros(n, dtype=np.intp) if task == "binary" else np.zeros(n)
        at = pl.Series(
            "at", [NOON + dt.timedelta(seconds=k) for k in range(n)], dtype=pl.Datetime("us", "UTC")
        )
        self.known = Hindsight(
            manifest=manifest(task),
            rows=pl.DataFrame({"at": at, "arrived": at.dt.offset_by("1s")}),
            judged=Judged(task, 2, truth, wrong.astype(truth.dtype), None, np.zeros(n, dtype=np.intp)),
            metric="accuracy",
            errors=Bound(metric="accuracy", value=0.9, reason="the test split")
            if task == "binary"
            else Bound(metric="mae", value=0.1, reason="the test split"),
        )
        self.history: list[ExaminedWindow] = []

    def look(self, start: dt.datetime, end: dt.datetime, **options: Any) -> Finding:
        report = examine(
            Evidence(
                settings=MonitorSettings(**({"stream": 10_000} | options)),
                environment="prod",
                model="screening",
                version=1,
                start=start,
                end=end,
                reference=NOTHING,
                window=NOTHING,
                hindsight=self.known,
                history=[window for window in self.history if window.end <= start],
            ),
            (),
            (errors_stream,),
        )
        self.history.insert(0, examined(report, "0" * 64))
        (found,) = report.findings
        return found


def moved(n: int = 7200, change: int = 3900, seed: int = 0) -> np.ndarray[Any, Any]:
    chance = np.where(np.arange(n) < change, 0.05, 0.4)
    return np.random.default_rng(seed).random(n) < chance


def one_alarm() -> tuple[Course, int]:
    """A course that ends soon after its first alarm, and that alarm's place."""
    wrong = moved()
    first = alarms((wrong - 0.1) / 0.1, 10_000)[0].at
    assert 3900 < first < 4000
    return Course(wrong[: first + 5]), first


def test_an_alarm_is_told_once_by_the_window_after_it_with_since_when() -> None:
    course, alarm = one_alarm()
    quarter = HOUR / 4
    said = [course.look(NOON + k * quarter, NOON + (k + 1) * quarter) for k in range(8)]
    assert [found.alert for found in said] == [k == (alarm + 1) // 900 for k in range(8)]
    (told,) = [found for found in said if found.alert]
    assert (told.kind, told.column, told.slice, told.statistic) == (
        "live_quality",
        "ill",
        "stream",
        "mean_errors",
    )
    assert told.value > 0.2
    assert (
        "1 alarm, by a detector that raises at most one false alarm in 10,000 outcomes, since 2026-11-20 13:0"
        in (told.sentence)
    )
    assert "at most 0.1 is expected (the test split)" in told.sentence
    # looked at again, alone: the same
    course.history = [window for window in course.history if window.end <= NOON + 4 * quarter]
    assert course.look(NOON + 4 * quarter, NOON + 5 * quarter).alert


def test_an_alarm_between_windows_is_not_lost_and_one_to_come_is_not_told() -> None:
    course, _ = one_alarm()
    assert not course.look(NOON, NOON + HOUR).alert
    # nobody looked for an hour; the next window begins after the alarm
    assert course.look(NOON + 2 * HOUR, NOON + 3 * HOUR).alert
    assert not course.look(NOON + 3 * HOUR, NOON + 4 * HOUR).alert
    fresh = Course(moved())
    assert not fresh.look(NOON, NOON + dt.timedelta(seconds=3900)).alert


def test_errors_of_numbers() -> None:
    random = np.random.default_rng(0)
    size = np.where(np.arange(7200) < 5000, 0.08, 0.3)
    course = Course(random.exponential(size), "regression")
    assert not course.look(NOON, NOON + HOUR).alert
    told = course.look(NOON + HOUR, NOON + 2 * HOUR)
    assert told.alert
    assert told.statistic == "mean_absolute_errors"
    odd = Course(np.array([np.inf, 0.0, 1e300]), "regression")
    assert odd.look(NOON, NOON + HOUR).alert


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_outcomes(n: int) -> None:
    course = Course(np.ones(n, dtype=bool))
    if n:
        assert not course.look(NOON, NOON + HOUR).alert
    with pytest.raises(ValueError, match="not enough values"):
        course.look(NOON, NOON + HOUR, stream=None)


def scored(values: np.ndarray[Any, Any], learnt: np.ndarray[Any, Any], **options: Any) -> list[Finding]:
    answers = anchor_answers(learnt, None, task="regression")
    at = [NOON + dt.timedelta(seconds=k / 10) for k in range(len(values))]
    rows = pl.DataFrame(
        {
            "at": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            "prediction": pl.Series(values, dtype=pl.Float64),
            "probability": pl.Series([None] * len(values), dtype=pl.List(pl.Float64)),
            "features": pl.Series([{"a": 0.0}] * len(values), dtype=pl.Struct({"a": pl.Float64})),
        }
    )
    report = examine(
        Evidence(
            settings=MonitorSettings(**({"stream": 10_000, "min_rows": 1} | options)),
            environment="prod",
            model="screening",
            version=1,
            start=NOON,
            end=NOON + HOUR,
            reference=NOTHING,
            window=Profile(rows=len(values), columns=()),
            answers=answers,
            window_answers=count_answers(values, None, answers),
            rows=rows,
            schema=SCHEMA,
        ),
        (scores_stream,),
        (),
    )
    return list(report.findings)


def test_scores_that_move_are_seen_with_since_when() -> None:
    random = np.random.default_rng(0)
    learnt = random.normal(size=2000)
    values = random.normal(size=6000)
    (still,) = scored(values, learnt)
    assert not still.alert
    assert "no alarm" in still.sentence
    values[3000:] -= 0.8
    (found,) = scored(values, learnt)
    assert found.alert
    assert (found.kind, found.slice) == ("prediction_drift", "stream")
    assert "it went down since 2026-11-20 12:0" in found.sentence
    assert not scored(values, learnt, stream=None)


def test_still_scores_alarm_at_their_rate_even_of_a_small_reference() -> None:
    count = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        learnt = np.round(random.gamma(2.0, size=150), 1)
        (found,) = scored(np.round(random.gamma(2.0, size=2000), 1), learnt, stream=10_000)
        count += found.alert
    assert count <= poisson.ppf(0.999, 60 * 2000 / 10_000)


@pytest.mark.parametrize(
    ("values", "alert"),
    [
        (np.array([]), False),
        (np.array([1.0]), False),
        (np.full(500, 0.0), False),
        (np.full(500, 9.0), True),
        (np.full(500, np.inf), True),
        (np.full(500, np.nan), False),
    ],
)
def test_odd_scores(values: np.ndarray[Any, Any], alert: bool) -> None:
    found = scored(values, np.random.default_rng(0).normal(size=1001))
    assert [one.alert for one in found] == ([alert] if len(values) else [])
    assert all(np.isfinite(one.value) for one in found)


def test_scores_beside_a_constant_reference() -> None:
    assert not scored(np.full(500, 3.0), np.full(100, 3.0))[0].alert
    assert scored(np.full(500, 4.0), np.full(100, 3.0))[0].alert
