"""Two-class scores against scikit-learn, with ties, weights and degenerate rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelyard.metrics import binary

# few distinct values, so that ties are the rule
PROBABILITIES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0])


@st.composite
def cases(draw):
    n = draw(st.integers(1, 30))
    truth = draw(arrays(np.bool_, n, elements=st.booleans()))
    prediction = draw(arrays(np.bool_, n, elements=st.booleans()))
    probability = draw(arrays(np.float64, n, elements=PROBABILITIES))
    weights = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.0, 3.0])))
    return truth, prediction, probability, weights


def repeated(weights, *columns):
    """An integer weight is that many rows: the definition that needs no trust in weights."""
    return tuple(np.repeat(column, weights.astype(int)) for column in columns)


def reference(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


LABEL_SCORES = {
    "accuracy": lambda t, p: sk.accuracy_score(t, p),
    "balanced_accuracy": lambda t, p: sk.balanced_accuracy_score(t, p),
    "precision": lambda t, p: sk.precision_score(t, p, zero_division=0),
    "recall": lambda t, p: sk.recall_score(t, p, zero_division=0),
    "specificity": lambda t, p: sk.recall_score(t, p, pos_label=False, zero_division=0),
    "f1": lambda t, p: sk.f1_score(t, p, zero_division=0),
    "mcc": lambda t, p: sk.matthews_corrcoef(t, p),
}
PROBABILITY_SCORES = {
    "roc_auc": lambda t, p: sk.roc_auc_score(t, p),
    "average_precision": lambda t, p: sk.average_precision_score(t, p),
    "log_loss": lambda t, p: sk.log_loss(t, p, labels=[False, True]),
    "brier": lambda t, p: np.mean((p - t) ** 2),
}


@pytest.mark.parametrize("name", LABEL_SCORES)
@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_scores_of_labels_equal_scikit_learn(name, case):
    truth, prediction, _, weights = case
    ours = getattr(binary, name)
    assert float(ours(truth, prediction)) == pytest.approx(reference(LABEL_SCORES[name], truth, prediction))
    if weights.sum() > 0:
        rows = repeated(weights, truth, prediction)
        assert float(ours(truth, prediction, weights)) == pytest.approx(reference(LABEL_SCORES[name], *rows))


@pytest.mark.parametrize("name", PROBABILITY_SCORES)
@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_scores_of_probabilities_equal_scikit_learn(name, case):
    truth, _, probability, weights = case
    ours = getattr(binary, name)
    expected = reference(PROBABILITY_SCORES[name], truth, probability)
    assert float(ours(truth, probability)) == pytest.approx(expected, nan_ok=True)
    if weights.sum() > 0:
        expected = reference(PROBABILITY_SCORES[name], *repeated(weights, truth, probability))
        assert float(ours(truth, probability, weights)) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_many_weightings_at_once_score_as_each_alone(case):
    truth, prediction, probability, weights = case
    block = np.stack([weights, np.ones_like(weights), weights[::-1]])
    for name in (*LABEL_SCORES, *PROBABILITY_SCORES, "expected_calibration_error"):
        given_answers = prediction if name in LABEL_SCORES else probability
        function = getattr(binary, name)
        together = function(truth, given_answers, block)
        alone = [float(function(truth, given_answers, row)) for row in block]
        assert together.shape == (3,)
        np.testing.assert_allclose(together, alone, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_roc_curve_bounds_the_same_area(case):
    truth, _, probability, _ = case
    if truth.all() or not truth.any():
        return
    x, y = binary.roc(truth, probability)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert float(np.trapezoid(y, x)) == pytest.approx(float(binary.roc_auc(truth, probability)))
    reference_x, reference_y, _ = sk.roc_curve(truth, probability)
    assert set(zip(x.round(9), y.round(9), strict=True)) <= set(
        zip(reference_x.round(9), reference_y.round(9), strict=True)
    )


@settings(max_examples=50, deadline=None)
@given(cases())
def test_precision_recall_points_are_scikit_learns(case):
    truth, _, probability, _ = case
    if not truth.any():
        return
    x, y = binary.precision_recall(truth, probability)
    precision, recall, _ = sk.precision_recall_curve(truth, probability)
    np.testing.assert_allclose(x, recall[::-1], atol=1e-12)
    np.testing.assert_allclose(y, precision[::-1], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_calibration_error_is_the_weighted_gap_of_the_curve(case):
    truth, _, probability, _ = case
    mean, share, counts = binary.calibration(truth, probability)
    assert counts.sum() == len(truth)
    expected = float((np.abs(mean - share) * counts).sum() / len(truth))
    assert float(binary.expected_calibration_error(truth, probability)) == pytest.approx(expected)


def test_matthews_correlation_of_many_rows_does_not_overflow():
    cells = np.array([[4e9, 1e9], [1e9, 4e9]])
    assert float(binary.label_scores(cells)["mcc"]) == pytest.approx(0.6)
