"""Bootstrap intervals: reproducible, covering, never without a class."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard import metrics


def two_classes(n: int, seed: int, positives: float = 0.4):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < positives
    truth[:2] = [False, True]
    score = 1 / (1 + np.exp(-(1.5 * truth - 0.8 + rng.normal(size=n))))
    return truth, score > 0.5, np.column_stack([1 - score, score])


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one():
    truth, prediction, probability = two_classes(114, 0)
    arguments = ("binary", truth, prediction, probability, (False, True))
    first = metrics.intervals(*arguments, seed=3)
    assert first == metrics.intervals(*arguments, seed=3)
    other = metrics.intervals(*arguments, seed=4)
    assert other != first
    assert other["roc_auc"] == pytest.approx(first["roc_auc"], abs=0.03)


def test_every_metric_has_an_interval_around_its_value():
    truth, prediction, probability = two_classes(200, 1)
    values = metrics.score("binary", truth, prediction, probability, (False, True))
    ends = metrics.intervals("binary", truth, prediction, probability, (False, True))
    assert ends.keys() == values.keys() == set(metrics.names("binary"))
    for name in values.keys() - {"expected_calibration_error"}:
        low, high = ends[name]
        assert low <= values[name] <= high, name
        assert low < high, name


def test_a_class_of_one_row_stays_in_every_resample():
    truth, prediction, probability = two_classes(60, 2, positives=0.0)
    assert truth.sum() == 1
    low, high = metrics.intervals("binary", truth, prediction, probability, (False, True))["roc_auc"]
    assert 0 <= low <= high <= 1


def test_intervals_of_accuracy_match_the_binomial():
    truth = np.zeros(400, dtype=bool)
    prediction = np.arange(400) < 80
    low, high = metrics.intervals("binary", truth, prediction, None, (False, True))["accuracy"]
    spread = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert (low, high) == pytest.approx((0.8 - spread, 0.8 + spread), abs=0.008)


def test_intervals_cover_at_their_level():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=80)
        prediction = truth + rng.normal(size=80)
        low, high = metrics.intervals("regression", truth, prediction, None, (), resamples=300)["mae"]
        covered += low <= np.sqrt(2 / np.pi) <= high
    assert covered >= 86  # P(fewer | 95 %) < 1e-3; the percentile method covers a little less


def test_undefined_everywhere_is_nan():
    truth = np.array([0.0, 1.0, 2.0])
    low, high = metrics.intervals("regression", truth, truth, None, ())["mape"]
    assert np.isnan(low)
    assert np.isnan(high)


def test_blocks_do_not_change_the_number_of_resamples(monkeypatch):
    from modelyard.metrics import bootstrap

    truth, prediction, probability = two_classes(50, 5)
    seen = []
    whole = bootstrap.measure

    def counting(*arguments):
        scores = whole(*arguments)

        def count(weights):
            seen.append(weights)
            return scores(weights)

        return count

    monkeypatch.setattr(bootstrap, "measure", counting)
    monkeypatch.setattr(bootstrap, "_BLOCK", 50 * 7)
    metrics.intervals("binary", truth, prediction, probability, (False, True), resamples=100)
    drawn = np.concatenate(seen)
    assert drawn.shape == (100, 50)
    np.testing.assert_array_equal(drawn[:, truth].sum(axis=1), truth.sum())
    np.testing.assert_array_equal(drawn.sum(axis=1), 50)


def test_shares_have_wilsons_interval_which_has_width_at_the_ends():
    truth = np.arange(40) < 20
    ends = metrics.intervals("binary", truth, truth, None, (False, True))
    assert ends["recall"] == pytest.approx((0.838875, 1.0), abs=1e-6)  # statsmodels 0.15, proportion_confint
    assert ends["accuracy"] == pytest.approx((0.912378, 1.0), abs=1e-6)
    assert metrics.wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert metrics.wilson(0, 0) == (0.0, 1.0)
