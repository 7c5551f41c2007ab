"""Quality judged after every window: how often that is wrong, how soon it is right, and what a term is."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard import metrics
from modelyard.metrics.quantile import Quantiles
from modelyard.monitoring.betting import stake
from modelyard.monitoring.terms import JUDGED, Judged, terms

N = 40
WINDOWS = 40
Make = Callable[[np.random.Generator, int], tuple[Any, Any, Any]]


def answers(accuracy: float) -> Make:
    def make(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
        truth = rng.integers(0, 2, n)
        said = np.where(rng.random(n) < accuracy, truth, 1 - truth)
        chance = np.where(said == 1, 0.9, 0.1)
        return truth, said, np.stack([1 - chance, chance], axis=1)

    return make


def scores(area: float, share: float = 0.5) -> Make:
    apart = NormalDist().inv_cdf(area) * 2**0.5

    def make(rng: np.random.Generator, n: int) -> tuple[Any, Any, Any]:
        truth = (rng.random(n) < share).astype(int)
        chance = 1 / (1 + np.exp(-rng.normal(size=n) - apart * truth))
        return truth, (chance > 0.5).astype(int), np.stack([1 - chance, chance], axis=1)

    return make


def numbers(scale: float) -> Make:
    return lambda rng, n: (rng.standard_t(3, n) * scale, np.zeros(n), None)


def course(rng: np.random.Generator, before: Make, after: Make, change: int) -> Judged:
    parts = [(before if w < change else after)(rng, N) for w in range(WINDOWS)]
    truth, said, chance = (
        np.concatenate([p[k] for p in parts]) if parts[0][k] is not None else None for k in range(3)
    )
    window = np.repeat(np.arange(WINDOWS), N)
    task = "regression" if chance is None else "binary"
    return Judged(task, 0 if chance is None else 2, truth, said, chance, window)


def first_alarm(metric: str, bound: float, whole: Judged, share: int = 1) -> int | None:
    """The first window after which there is one."""
    found = terms(metric, bound, whole, share=share)
    assert found is not None
    for at in range(WINDOWS):
        seen = found.window <= at
        if stake(found.values[seen], found.window[seen]).p <= 0.05:
            return at
    return None


@pytest.mark.parametrize(
    ("metric", "share"), [("roc_auc", 1), ("roc_auc", 3), ("balanced_accuracy", 1), ("f1", 1)]
)
def test_what_is_known_later_changes_no_earlier_term(metric: str, share: int) -> None:
    rng = np.random.default_rng(0)
    whole = course(rng, scores(0.8, 0.3), scores(0.8, 0.3), 0)
    order = rng.permutation(len(whole))
    arrived = whole.take(order)
    every = terms(metric, 0.8, arrived, share=share)
    early = terms(metric, 0.8, arrived.take(np.arange(700)), share=share)
    assert every is not None
    assert early is not None
    for window in range(WINDOWS):
        before, after = (t.values[t.window == window] for t in (early, every))
        assert len(before) <= len(after)
        assert (after[: len(before)] == before).all()


MEAN_OF_T3 = 2 * 3**0.5 / np.pi
"""Of its absolute value."""


@pytest.mark.parametrize(
    ("metric", "bound", "make", "share"),
    [
        ("accuracy", 0.95, answers(0.95), 1),
        ("f1", 0.9, answers(0.9), 1),
        ("balanced_accuracy", 0.9, answers(0.9), 1),
        ("brier", 0.09, answers(0.9), 1),
        ("log_loss", -0.9 * np.log(0.9) - 0.1 * np.log(0.1), answers(0.9), 1),
        ("roc_auc", 0.85, scores(0.85), 1),
        ("roc_auc", 0.85, scores(0.85, 0.2), 4),
        ("roc_auc", 0.85, scores(0.85, 0.8), -4),
        ("mae", MEAN_OF_T3, numbers(1.0), 1),
        ("rmse", 3**0.5, numbers(1.0), 1),
    ],
)
def test_at_its_very_bound_a_metric_alarms_in_fewer_than_one_course_of_twenty(
    metric: str, bound: float, make: Make, share: int
) -> None:
    rng = np.random.default_rng(1)
    courses = [course(rng, make, make, 0) for _ in range(200)]
    alarms = sum(first_alarm(metric, bound, seen, share) is not None for seen in courses)
    assert alarms <= 0.05 * len(courses)


def test_looking_at_each_windows_interval_instead_alarms_far_more_often() -> None:
    """What the stake is for: the same courses, judged by whether a 95 % interval lies below the floor."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(200):
        whole = course(rng, answers(0.95), answers(0.95), 0)
        right = (whole.truth == whole.prediction).reshape(WINDOWS, N).sum(axis=1)
        alarms += any(metrics.wilson(int(hits), N)[1] < 0.95 for hits in right)
    assert alarms > 0.3 * 200


@pytest.mark.parametrize(
    ("metric", "bound", "before", "after"),
    [
        ("accuracy", 0.95, answers(0.97), answers(0.85)),
        ("roc_auc", 0.9, scores(0.93), scores(0.75)),
        ("log_loss", 0.4, answers(0.93), answers(0.7)),
        ("mae", 1.2, numbers(1.0), numbers(2.0)),
    ],
)
def test_a_loss_of_quality_is_found_soon_however_long_all_was_well(
    metric: str, bound: float, before: Make, after: Make
) -> None:
    rng = np.random.default_rng(2)
    alarms = [first_alarm(metric, bound, course(rng, before, after, 20)) for _ in range(50)]
    found = [at - 19 for at in alarms if at is not None and at >= 20]
    assert len(found) >= 48
    assert np.median(found) <= 10


def test_the_stake_says_from_when_on() -> None:
    rng = np.random.default_rng(3)
    seen = course(rng, answers(0.97), answers(0.6), 25)
    found = terms("accuracy", 0.95, seen)
    assert found is not None
    assert abs(stake(found.values, found.window).since - 25) <= 1


def test_windows_without_a_term_cost_nothing_and_change_nothing() -> None:
    rng = np.random.default_rng(4)
    values = rng.choice([-1.0, 1.0], 400, p=[0.3, 0.7])
    windows = np.sort(rng.integers(0, 60, 400))
    for far in (3, 50, 5000):
        alone, every = windows * far, np.arange(windows[-1] * far + 1)
        full = stake(np.concatenate([values, np.zeros(len(every))]), np.concatenate([alone, every]))
        assert stake(values, alone).log == pytest.approx(full.log, abs=1e-6)
        assert stake(values, alone).since >= full.since
    years = stake(values, windows + 3_000_000_000)
    assert years.p <= 1.0
    assert years.since >= 3_000_000_000


def test_what_is_bet_is_all_there_is_however_many_windows_pass() -> None:
    for first in (0, 4000, 4095, 4096, 4097, 10**6, 10**12):
        held = stake(np.zeros(3), np.array([first, first + 1, first + 2]))
        assert held.log == pytest.approx(0.0, abs=1e-9), "terms of nothing leave the stake as it is"


def test_without_a_term_nothing_is_known() -> None:
    nothing = np.empty(0)
    assert stake(nothing, nothing.astype(np.intp)).p == 1.0


@given(st.permutations(range(12)))
def test_within_a_window_the_order_does_not_matter(order: list[int]) -> None:
    values = np.linspace(-1, 3, 12)
    windows = np.zeros(12, dtype=np.intp)
    assert stake(values[order], windows).log == pytest.approx(stake(values, windows).log)


def some(task: Any, n: int = 400) -> Judged:
    rng = np.random.default_rng(4)
    window = np.zeros(n, dtype=np.intp)
    if task == "regression":
        truth = rng.uniform(1, 9, n)
        said = truth + rng.normal(size=n)
        values = np.stack([said - 1, said, said + 1], axis=1)
        return Judged(task, 0, truth, said, None, window, Quantiles((0.1, 0.5, 0.9), values))
    truth, said, chance = scores(0.8)(rng, n)
    return Judged(task, 2, truth, said, chance, window)


@pytest.mark.parametrize("metric", sorted(JUDGED - {"roc_auc", "balanced_accuracy"}))
def test_the_mean_of_the_terms_is_at_most_nothing_just_where_the_bound_holds(metric: str) -> None:
    known = metrics.names("binary")
    rows = some("binary" if metric in known else "regression")
    labels = (0, 1) if metric in known else ()
    levels = rows.quantiles if metric == "pinball" else None
    value = metrics.score(rows.task, rows.truth, rows.prediction, rows.probability, labels, quantiles=levels)[
        metric
    ]
    better = 1 if metrics.higher_is_better(metric) else -1
    for distance, holds in ((-0.01, True), (0.01, False)):
        found = terms(metric, value + better * distance, rows)
        assert found is not None
        assert bool(found.values.mean() <= 0) is holds
        assert found.values.min() >= -1


def test_matched_rows_give_the_metric_on_average() -> None:
    rng = np.random.default_rng(5)
    truth, said, chance = scores(0.8, 0.3)(rng, 200_000)
    rows = Judged("binary", 2, truth, said, chance, np.zeros(len(truth), dtype=np.intp))
    for metric, share, wanted in (("roc_auc", 2, 0.8), ("roc_auc", -2, 0.8), ("balanced_accuracy", 1, None)):
        found = terms(metric, 0.5, rows, share=share)
        assert found is not None
        score = metrics.score("binary", truth, said, chance, (0, 1))[metric]
        assert 0.5 - found.values.mean() * 0.5 == pytest.approx(wanted or score, abs=0.01)


@pytest.mark.parametrize(
    ("metric", "task"),
    [("mcc", "binary"), ("average_precision", "binary"), ("r2", "regression"), ("f1_macro", "multiclass")],
)
def test_what_is_no_mean_is_not_judged(metric: str, task: Any) -> None:
    assert terms(metric, 0.5, some("regression" if task == "regression" else "binary")) is None
    assert metric not in JUDGED


def test_a_bound_of_no_error_is_broken_by_any_and_infinite_errors_are_no_trouble() -> None:
    right = np.ones(60)
    for metric, rows in (
        ("accuracy", Judged("binary", 2, right, np.r_[0.0, right[1:]], None, np.zeros(60, dtype=np.intp))),
        ("mae", Judged("regression", 0, right, np.r_[1e308, right[1:]], None, np.zeros(60, dtype=np.intp))),
        ("rmse", Judged("regression", 0, right, np.r_[1e308, right[1:]], None, np.zeros(60, dtype=np.intp))),
    ):
        found = terms(metric, 1.0 if metric == "accuracy" else 0.0, rows)
        assert found is not None
        assert stake(found.values, found.window).p < 0.05
