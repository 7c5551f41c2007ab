"""Scores of several classes against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelyard.metrics import multiclass

C = 4


@st.composite
def cases(draw):
    n = draw(st.integers(1, 25))
    truth = draw(arrays(np.intp, n, elements=st.integers(0, C - 1)))
    prediction = draw(arrays(np.intp, n, elements=st.integers(0, C - 1)))
    raw = draw(arrays(np.float64, (n, C), elements=st.sampled_from([0.1, 1.0, 2.0, 5.0])))
    weights = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 3.0])))
    return truth, prediction, raw / raw.sum(axis=1, keepdims=True), weights


def expected(truth, prediction, probability):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            "accuracy": sk.accuracy_score(truth, prediction),
            "balanced_accuracy": sk.balanced_accuracy_score(truth, prediction),
            "f1_macro": sk.f1_score(truth, prediction, average="macro", zero_division=0),
            "log_loss": sk.log_loss(truth, probability, labels=range(C)),
        }
        if len(np.unique(truth)) == C:
            found["roc_auc_ovr"] = sk.roc_auc_score(truth, probability, multi_class="ovr")
    return found


def ours(truth, prediction, probability, weights=None):
    return multiclass.label_scores(multiclass.confusion(truth, prediction, C, weights)) | {
        "log_loss": multiclass.log_loss(truth, probability, weights),
        "roc_auc_ovr": multiclass.roc_auc_ovr(truth, probability, weights),
    }


@settings(max_examples=50, deadline=None)
@given(cases())
def test_scores_equal_scikit_learn(case):
    truth, prediction, probability, weights = case
    found = ours(truth, prediction, probability)
    for name, value in expected(truth, prediction, probability).items():
        assert float(found[name]) == pytest.approx(value), name
    if weights.sum() > 0:
        repeats = weights.astype(int)
        found = ours(truth, prediction, probability, weights)
        rows = (np.repeat(a, repeats, axis=0) for a in (truth, prediction, probability))
        for name, value in expected(*rows).items():
            assert float(found[name]) == pytest.approx(value), name


@settings(max_examples=50, deadline=None)
@given(cases())
def test_confusion_equals_scikit_learn(case):
    truth, prediction, _, weights = case
    np.testing.assert_array_equal(
        multiclass.confusion(truth, prediction, C, weights + 1),
        sk.confusion_matrix(truth, prediction, labels=range(C), sample_weight=weights + 1),
    )


def test_an_absent_class_leaves_the_area_undefined():
    probability = np.full((3, 3), 1 / 3)
    assert np.isnan(float(multiclass.roc_auc_ovr(np.array([0, 1, 1]), probability)))


def test_several_weightings_at_once_score_as_each_alone():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(C, size=(2, 50))
    probability = rng.dirichlet(np.ones(C), 50)
    block = rng.integers(1, 4, (5, 50)).astype(float)
    together = ours(truth, prediction, probability, block)
    for i, row in enumerate(block):
        alone = ours(truth, prediction, probability, row)
        for name, value in alone.items():
            assert together[name][i] == pytest.approx(float(value))
