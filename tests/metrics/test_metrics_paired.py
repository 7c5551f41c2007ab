"""Two models on the same rows: published figures, the definitions, and error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from modelyard import metrics
from modelyard.metrics import Answered

CLASSES = (False, True)


def two_models(n: int, seed: int, *, worse: float = 0.0):
    """Rows, and two models that err differently; the first is ``worse`` on average."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    shared = 1.2 * truth + rng.normal(size=n)
    ours = shared + rng.normal(size=n) * (0.6 + worse)
    return truth, ours, shared + rng.normal(size=n) * 0.6


def answered(score) -> Answered:
    probability = 1 / (1 + np.exp(-(score - 0.6)))
    return Answered(probability > 0.5, np.column_stack([1 - probability, probability]))


def by_definition(truth, scores):
    """DeLong, DeLong and Clarke-Pearson's structural components, pair by pair."""
    kernels = [
        (s[truth][:, None] > s[~truth][None, :]) + 0.5 * (s[truth][:, None] == s[~truth][None, :])
        for s in scores
    ]
    rows, columns = np.stack([k.mean(axis=1) for k in kernels]), np.stack([k.mean(axis=0) for k in kernels])
    covariance = np.cov(rows) / rows.shape[1] + np.cov(columns) / columns.shape[1]
    return np.array([k.mean() for k in kernels]), covariance


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_delong_is_its_definition_with_and_without_ties(digits):
    truth, one, other = two_models(90, 1)
    scores = np.round(np.stack([one, other]), digits)
    areas, covariance = metrics.delong(truth, scores)
    expected, spread = by_definition(truth, scores)
    assert areas == pytest.approx(expected, abs=1e-12)
    assert areas == pytest.approx([roc_auc_score(truth, s) for s in scores], abs=1e-12)
    assert covariance == pytest.approx(spread, abs=1e-12)


def test_delong_of_too_few_rows_is_unknown():
    areas, covariance = metrics.delong(np.array([True, False, False]), np.array([[2.0, 1.0, 0.0]]))
    assert areas.tolist() == [1.0]
    assert np.isnan(covariance).all()
    assert np.isnan(metrics.delong(np.array([True, True]), np.array([[2.0, 1.0]]))[0]).all()


@pytest.mark.parametrize(
    ("only_one", "only_other", "exact", "mid"),
    [
        (1, 7, 0.0703125, 0.0390625),  # Fagerland, Lydersen and Laake (2013), table 1
        (150, 86, 3.71594e-5, 2.89339e-5),  # Agresti's approval ratings, by statsmodels 0.15 and scipy
        (12, 5, 0.143463, 0.096253),
        (0, 9, 0.00390625, 0.001953125),
        (6, 6, 1.0, 1.0),
        (0, 0, 1.0, 1.0),
    ],
)
def test_mcnemar(only_one, only_other, exact, mid):
    assert metrics.mcnemar(only_one, only_other) == pytest.approx((exact, mid), rel=1e-3)
    assert metrics.mcnemar(only_other, only_one) == metrics.mcnemar(only_one, only_other)


def test_mcnemar_of_a_million_rows_is_finite():
    exact, mid = metrics.mcnemar(500_000, 502_000)
    assert exact == pytest.approx(math.erfc(2000 / math.sqrt(2 * 1_002_000)), rel=0.01)
    assert 0 < mid < exact
    assert metrics.mcnemar(0, 1_000_000) == (0.0, 0.0)


def test_differences_are_those_of_the_metrics():
    truth, one, other = two_models(150, 2)
    gaps = metrics.differences("binary", truth, answered(one), answered(other), CLASSES, resamples=50)
    for which, given_ in (("value", answered(one)), ("other", answered(other))):
        found = metrics.score("binary", truth, given_.prediction, given_.probability, CLASSES)
        assert {n: getattr(g, which) for n, g in gaps.items()} == pytest.approx(found)


def test_the_bootstrap_error_is_that_of_the_mean_difference():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=400)
    one, other = truth + rng.normal(size=400), truth + rng.normal(size=400) * 1.2
    gaps = metrics.differences("regression", truth, Answered(one), Answered(other), ())
    gain = np.abs(truth - one) - np.abs(truth - other)
    assert gaps["mae"].difference == pytest.approx(gain.mean())
    assert gaps["mae"].error == pytest.approx(gain.std() / 20, rel=0.08)


def test_pairing_tells_more_than_two_separate_errors():
    truth, one, other = two_models(300, 4)
    gap = metrics.differences("binary", truth, answered(one), answered(other), CLASSES)["roc_auc"]
    apart = [metrics.delong(truth, s[None])[1][0, 0] for s in (one, other)]
    assert gap.error < 0.7 * math.sqrt(sum(apart))


def test_the_same_answers_differ_by_nothing_for_sure():
    truth, one, _ = two_models(60, 5)
    for name, gap in metrics.differences("binary", truth, answered(one), answered(one), CLASSES).items():
        assert (gap.difference, gap.error) == (0.0, 0.0), name
        assert metrics.p_no_worse(name, gap.difference, gap.error, 0.0) == 0.0
        assert metrics.p_worse(name, gap.difference, gap.error, 0.0) == 1.0


def test_without_probabilities_of_one_only_labels_are_compared():
    truth, one, other = two_models(60, 6)
    bare = Answered(answered(other).prediction)
    gaps = metrics.differences("binary", truth, answered(one), bare, CLASSES, resamples=50)
    assert "roc_auc" not in gaps
    assert "recall" in gaps


@given(difference=st.floats(-1, 1), error=st.floats(0, 1), margin=st.floats(0, 1), more=st.floats(0, 1))
def test_a_wider_margin_is_easier_to_meet(difference, error, margin, more):
    for name in ("roc_auc", "log_loss"):
        narrow = metrics.p_no_worse(name, difference, error, margin)
        assert metrics.p_no_worse(name, difference, error, margin + more) <= narrow
        assert metrics.p_worse(name, difference, error, margin) == pytest.approx(1 - narrow, abs=1e-9)


def rate(metric: str, n: int, repetitions: int) -> float:
    """How often non-inferiority is shown at 95 % of a model that is worse by just the margin."""
    truth, one, other = two_models(200_000, 0, worse=0.6)
    whole = metrics.differences("binary", truth, answered(one), answered(other), CLASSES, resamples=2)
    margin = abs(whole[metric].difference)
    assert margin > 0.01
    shown = 0
    for seed in range(repetitions):
        truth, one, other = two_models(n, seed + 1, worse=0.6)
        resamples = 2 if metric == "roc_auc" else 100
        gap = metrics.differences(
            "binary", truth, answered(one), answered(other), CLASSES, seed=seed, resamples=resamples
        )[metric]
        shown += metrics.p_no_worse(metric, gap.difference, gap.error, margin) <= 0.05
    return shown / repetitions


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "log_loss", "recall"])
def test_at_the_margin_a_worse_model_passes_as_rarely_as_promised(metric):
    # 400 repetitions: 0.05 comes out between 0.02 and 0.085 but once in a thousand times
    assert 0.02 <= rate(metric, 150, 400) <= 0.085
