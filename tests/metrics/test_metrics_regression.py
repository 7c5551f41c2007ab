"""Scores of numbers against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelyard.metrics import regression

VALUES = st.integers(-40, 40).map(lambda v: v / 4)
REFERENCES = {
    "r2": sk.r2_score,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "median_absolute_error": lambda t, p: float(np.median(np.abs(t - p))),
}


@st.composite
def cases(draw):
    n = draw(st.integers(2, 30))
    truth, prediction = (draw(arrays(np.float64, n, elements=VALUES)) for _ in range(2))
    weights = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.0, 3.0])))
    return truth, prediction, weights


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_scores_equal_scikit_learn(name, case):
    truth, prediction, weights = case
    ours, reference = getattr(regression, name), REFERENCES[name]
    assert float(ours(truth, prediction)) == pytest.approx(reference(truth, prediction), abs=1e-9)
    repeats = weights.astype(int)
    rows = np.repeat(truth, repeats), np.repeat(prediction, repeats)
    if len(rows[0]) >= 2:
        assert float(ours(truth, prediction, weights)) == pytest.approx(reference(*rows), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_percentage_error_is_scikit_learns_where_it_is_defined(case):
    truth, prediction, _ = case
    found = float(regression.mape(truth, prediction))
    if np.any(truth == 0):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(sk.mean_absolute_percentage_error(truth, prediction))


def test_constant_truth_follows_scikit_learn():
    constant = np.full(5, 3.0)
    assert float(regression.r2(constant, constant)) == 1.0
    assert float(regression.r2(constant, constant + 1)) == 0.0


def test_one_row_has_no_explained_variance():
    assert np.isnan(float(regression.r2(np.array([1.0]), np.array([2.0]))))
