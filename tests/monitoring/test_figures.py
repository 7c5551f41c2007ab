"""The rates that monitoring promises, as seeded statistical tests with binomial bounds."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import binom, rankdata
from sklearn.datasets import load_breast_cancer

from modelyard.monitoring import Evidence, examine
from modelyard.records.finding import WindowReport
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.settings import MonitorSettings
from modelyard.tables.batch import Batch
from modelyard.tables.profile import anchor, anchor_answers, count, count_answers

Table = NDArray[np.float64]
NOTHING = Profile(rows=0, columns=())
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def cancer() -> Table:
    return np.asarray(load_breast_cancer().data, dtype=np.float64)


class Like:
    """Fresh rows with a table's correlations (a Gaussian copula) and its columns' distributions."""

    def __init__(self, table: Table) -> None:
        ranks = rankdata(table, axis=0) / (len(table) + 1)
        self._sorted = np.sort(table, axis=0)
        self._root = np.linalg.cholesky(
            0.999 * np.corrcoef(np.sqrt(12) * ranks, rowvar=False) + 0.001 * np.eye(30)
        )

    def rows(self, n: int, random: np.random.Generator) -> Table:
        places = ndtr(random.normal(size=(n, 30)) @ self._root.T) * (len(self._sorted) - 1)
        low = places.astype(int)
        columns = np.arange(30)
        under, over = self._sorted[low, columns], self._sorted[low + 1, columns]
        return under + (places - low) * (over - under)


def batch(rows: Table) -> Batch:
    return Batch(np.ascontiguousarray(rows), np.empty((len(rows), 0), dtype=object))


def look(reference: Table, window: Table, settings: MonitorSettings, *, answer: bool = False) -> WindowReport:
    schema = Schema(columns=tuple(Column(name=f"c{i}", kind="float") for i in range(reference.shape[1])))
    anchored = anchor(batch(reference), schema)
    answers, answered = NOTHING, NOTHING
    if answer:
        answers = anchor_answers(*model(reference[:114]), task="binary", classes=("benign", "malignant"))
        answered = count_answers(*model(window), answers)
    return examine(
        Evidence(
            reference=anchored,
            window=count(batch(window), anchored),
            answers=answers,
            window_answers=answered,
            settings=settings,
            environment="prod",
            model="screening",
            version=1,
            start=START,
            end=START + dt.timedelta(hours=1),
        )
    )


def model(rows: Table) -> tuple[NDArray[np.object_], Table]:
    p = 1 / (1 + np.exp(-(rows[:, 0] - 14)))
    return np.where(p > 0.5, "malignant", "benign").astype(object), np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg"])
def test_false_alarms_of_thirty_columns_stay_at_their_rate(cancer: Table, correction: str) -> None:
    like, random = Like(cancer), np.random.default_rng(20260101)
    settings = MonitorSettings(correction=correction, min_effect=0.0)
    windows = [
        look(like.rows(455, random), like.rows(500, random), settings, answer=True).alerts for _ in range(200)
    ]
    assert sum(map(bool, windows)) <= binom.ppf(0.99, 200, settings.alpha)


def test_a_fifth_of_a_deviation_is_found_alone() -> None:
    random, found = np.random.default_rng(20260102), 0
    for _ in range(400):
        reference, window = random.normal(size=(5000, 1)), random.normal(0.2, 1, size=(500, 1))
        found += bool(look(reference, window, MonitorSettings()).alerts)
    assert found / 400 >= 0.8
    assert found >= binom.ppf(0.01, 400, 0.9)  # what was measured; a fall below is a loss of power


def test_no_column_alone_alarms_more_than_its_rate() -> None:
    random, alarms = np.random.default_rng(20260103), 0
    for _ in range(400):
        reference, window = random.normal(size=(5000, 1)), random.normal(size=(500, 1))
        alarms += bool(look(reference, window, MonitorSettings(min_effect=0.0)).alerts)
    assert alarms <= binom.ppf(0.99, 400, 0.05)


def test_three_shifted_columns_of_a_stream_are_found_and_no_others(cancer: Table) -> None:
    right = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        training = cancer[random.permutation(len(cancer))[:455]]
        shifted = random.choice(30, size=3, replace=False)
        stream = cancer[random.integers(0, len(cancer), size=500)]
        stream[:, shifted] += training.std(axis=0)[shifted]
        report = look(training, stream, MonitorSettings())
        right += {f.column for f in report.alerts} == {f"c{i}" for i in shifted}
    assert right >= 90
