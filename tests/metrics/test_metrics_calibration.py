"""Parts of the Brier score, and recalibration beside statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.metrics import binary, calibration


def stated():
    """Two hundred probabilities, and outcomes that come less often than stated."""
    i = np.arange(200)
    p = (i + 0.5) / 200
    return ((i * 7919) % 200 + 0.5) / 200 < p**1.7, p


def test_slope_and_intercept_are_those_of_a_logistic_regression():
    slope, intercept = calibration.recalibration(*stated())
    # statsmodels 0.15: Logit with the log odds, and GLM with them as an offset
    assert slope == pytest.approx((1.228685, 0.869451, 1.587918), abs=1e-4)
    assert intercept == pytest.approx((-0.764583, -1.114069, -0.415098), abs=1e-4)


def test_probabilities_that_are_right_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    slope, intercept = calibration.recalibration(rng.random(20_000) < p, p)
    assert slope[1] < 1 < slope[2]
    assert intercept[1] < 0 < intercept[2]


def test_too_extreme_probabilities_have_a_slope_below_one():
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    extreme = 1 / (1 + ((1 - p) / p) ** 2)
    slope, _ = calibration.recalibration(rng.random(5000) < p, extreme)
    assert slope[0] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("probability", [[0.1, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0]])
def test_classes_that_are_told_apart_have_no_slope(probability):
    slope, _ = calibration.recalibration(np.array([False, False, True, True]), np.array(probability))
    assert slope is None


def test_one_class_has_neither():
    assert calibration.recalibration(np.ones(4, dtype=bool), np.full(4, 0.7)) == (None, None)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_the_parts_sum_to_the_brier_score(rows):
    truth = np.array([t for t, _ in rows])
    probability = np.array([p for _, p in rows])
    reliability, resolution, uncertainty, within = calibration.decompose(truth, probability)
    whole = float(binary.brier(truth, probability))
    assert reliability - resolution + uncertainty + within == pytest.approx(whole, abs=1e-12)
    assert 0 <= resolution <= uncertainty + 1e-12
    assert reliability >= 0


def test_the_parts_of_few_stated_values_are_murphys():
    truth = np.array([False] * 8 + [True] * 2 + [False] * 3 + [True] * 7)
    probability = np.repeat([0.25, 0.75], 10)
    parts = calibration.decompose(truth, probability)
    assert parts == pytest.approx((0.0025, 0.0625, 0.2475, 0.0), abs=1e-12)
