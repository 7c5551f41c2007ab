"""Scores of several labels, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelyard import metrics
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.metrics import Answered, multilabel
from modelyard.tables.held import columns, lists

LABELS = ("rain", "wind", "fog")


def scored(truth, said, probability=None):
    return metrics.score("multilabel", truth, lists(said, LABELS), probability, LABELS)


@st.composite
def cases(draw):
    n = draw(st.integers(1, 20))
    whole = arrays(np.bool_, (n, 3))
    chances = arrays(np.float64, (n, 3), elements=st.integers(0, 20).map(lambda v: v / 20))
    return draw(whole), draw(whole), draw(chances)


@given(cases())
def test_scores_of_labels_equal_scikit_learn(case):
    truth, said, _ = case
    found = scored(truth, said)
    assert found["subset_accuracy"] == pytest.approx(sk.accuracy_score(truth, said))
    assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, said))
    for kind, score in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        assert found[f"{kind}_macro"] == pytest.approx(score(truth, said, average="macro", zero_division=0))
        each = score(truth, said, average=None, zero_division=0)
        assert [found[f"{kind}_{label}"] for label in LABELS] == pytest.approx(list(each))
    assert found["f1_micro"] == pytest.approx(sk.f1_score(truth, said, average="micro", zero_division=0))
    assert set(found) < set(metrics.names("multilabel", classes=LABELS))


@given(cases())
def test_areas_and_losses_equal_scikit_learn_over_the_labels_that_are_defined(case):
    truth, said, chances = case
    found = scored(truth, said, chances)
    both = [at for at in range(3) if 0 < truth[:, at].sum() < len(truth)]
    for kind, score in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        each = [score(truth[:, at], chances[:, at]) for at in both]
        assert [found[f"{kind}_{LABELS[at]}"] for at in both] == pytest.approx(each)
        assert found[f"{kind}_macro"] == pytest.approx(np.mean(each) if each else np.nan, nan_ok=True)
        if 0 < truth.sum() < truth.size:
            assert found[f"{kind}_micro"] == pytest.approx(score(truth.ravel(), chances.ravel()))
    clipped = np.clip(chances, np.finfo(float).eps, 1 - np.finfo(float).eps)
    losses = [sk.log_loss(truth[:, at], clipped[:, at], labels=[False, True]) for at in range(3)]
    assert found["log_loss"] == pytest.approx(np.mean(losses))
    assert found["brier"] == pytest.approx(np.mean((chances - truth) ** 2))


def test_a_weight_counts_a_row_so_many_times():
    rng = np.random.default_rng(1)
    truth, said, chances = rng.random((30, 3)) < 0.4, rng.random((30, 3)) < 0.5, rng.random((30, 3))
    weights = rng.integers(0, 4, 30)
    rows = np.repeat(np.arange(30), weights)
    weighed = multilabel.measure(truth, said, chances, LABELS)(weights[None].astype(float))
    again = scored(truth[rows], said[rows], chances[rows])
    for name, value in again.items():
        assert weighed[name][0] == pytest.approx(value)


def test_every_metric_has_an_interval_that_narrows_with_rows():
    rng = np.random.default_rng(2)
    truth = rng.random((800, 3)) < (0.1, 0.5, 0.3)
    chances = np.clip(truth * 0.4 + rng.random((800, 3)) * 0.6, 0, 1)
    wide, narrow = (
        metrics.intervals("multilabel", truth[:n], lists(chances[:n] > 0.5, LABELS), chances[:n], LABELS)
        for n in (80, 800)
    )
    values = scored(truth, chances > 0.5, chances)
    assert set(narrow) == set(values)
    for name, (low, high) in narrow.items():
        assert low <= values[name] <= high
        assert high - low < wide[name][1] - wide[name][0]


def test_two_models_are_held_against_each_other_on_the_same_rows():
    rng = np.random.default_rng(3)
    truth = rng.random((400, 3)) < 0.4
    good, poor = (np.clip(truth * a + rng.random((400, 3)) * (1 - a), 0, 1) for a in (0.7, 0.3))
    one, other = (Answered(lists(p > 0.5, LABELS), p) for p in (good, poor))
    gaps = metrics.differences("multilabel", truth, one, other, LABELS, resamples=100)
    assert gaps["f1_macro"].difference > 5 * gaps["f1_macro"].error > 0
    assert gaps["hamming_loss"].difference < 0
    assert {"roc_auc_rain", "recall_fog", "subset_accuracy"} <= set(gaps)


def test_names_of_labels_are_metrics_of_these_labels_only():
    assert metrics.require("recall_rain", "multilabel", (), LABELS) == "recall_rain"
    assert metrics.higher_is_better("recall_rain")
    assert not metrics.higher_is_better("hamming_loss")
    assert metrics.default("multilabel") == "f1_macro"
    for name in ("recall_snow", "accuracy", "r2"):
        with pytest.raises(SettingsError, match=f"no metric '{name}' for a multilabel model"):
            metrics.require(name, "multilabel", (), LABELS)
    with pytest.raises(SettingsError, match="no metric 'f1_rain' for a binary model"):
        metrics.require("f1_rain", "binary")


def test_what_is_no_answer_is_told():
    answers = np.empty(2, dtype=object)
    answers[:] = [["rain"], ["snow"]]
    with pytest.raises(AuthorError, match="'snow', which is none of its labels"):
        multilabel.encode(answers, LABELS)
    with pytest.raises(DataRefused, match="2 labels, and the model knows 3"):
        multilabel.encode(np.ones((2, 2), dtype=bool), LABELS)
    with pytest.raises(DataRefused, match="one target, and the model tells 3 labels"):
        metrics.score("multilabel", np.array([1, 0]), answers, None, LABELS)


def test_lists_of_labels_as_columns():
    held = lists(np.array([[True, False, True], [False, False, False]]), LABELS)
    assert held.tolist() == [["rain", "fog"], []]
    assert columns(held.tolist(), LABELS) == {
        "prediction_rain": [True, False],
        "prediction_wind": [False, False],
        "prediction_fog": [True, False],
    }
    assert lists(np.zeros((0, 3), dtype=bool), LABELS).tolist() == []
