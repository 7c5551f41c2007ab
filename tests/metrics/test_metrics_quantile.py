"""Scores of quantiles, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelyard import metrics
from modelyard.errors import SettingsError
from modelyard.metrics import Answered, Quantiles, quantile

LEVELS = (0.05, 0.5, 0.9)
VALUES = st.integers(-40, 40).map(lambda v: v / 4)


def scored(truth, given, levels=LEVELS):
    found = Quantiles(levels, np.asarray(given, dtype=np.float64))
    middle = found.values[:, min(1, len(levels) - 1)]
    return metrics.score("regression", np.asarray(truth, dtype=np.float64), middle, None, (), quantiles=found)


@st.composite
def cases(draw):
    n = draw(st.integers(2, 20))
    return draw(arrays(np.float64, n, elements=VALUES)), draw(arrays(np.float64, (n, 3), elements=VALUES))


@given(cases())
def test_pinball_losses_equal_scikit_learn(case):
    truth, given_ = case
    found = scored(truth, given_)
    each = [sk.mean_pinball_loss(truth, given_[:, at], alpha=level) for at, level in enumerate(LEVELS)]
    assert [found[f"pinball_p{p}"] for p in (5, 50, 90)] == pytest.approx(each, abs=1e-12)
    assert found["pinball"] == pytest.approx(np.mean(each), abs=1e-12)
    assert found["pinball_p50"] == pytest.approx(found["mae"] / 2, abs=1e-12)


def test_coverage_width_and_crossing_are_counted_ends_included():
    truth = [1.0, 2.0, 3.0, 4.0]
    given_ = [[1.0, 1.5, 2.0], [0.0, 3.0, 1.0], [0.0, 3.0, 5.0], [5.0, 6.0, 7.0]]
    found = scored(truth, given_)
    assert found["coverage"] == 0.5  # the first lies on its end, the third within
    assert found["coverage_error"] == pytest.approx(0.85 - 0.5)
    assert found["interval_width"] == (1 + 1 + 5 + 2) / 4
    assert found["crossing"] == 0.25
    assert [found[f"below_p{p}"] for p in (5, 50, 90)] == [0.5, 1.0, 0.75]


def test_a_level_alone_has_no_interval():
    assert set(scored([1.0, 2.0], [[1.5], [1.5]], (0.9,))) == {
        *metrics.names("regression"),
        "pinball",
        "pinball_p90",
        "below_p90",
    }


def test_shares_of_rows_have_wilsons_interval_and_losses_a_resampled_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    spread = np.quantile(truth, LEVELS)
    found = Quantiles(LEVELS, np.tile(spread, (200, 1)))
    ends = metrics.intervals("regression", truth, found.values[:, 1], None, (), quantiles=found)
    hits = int(((spread[0] <= truth) & (truth <= spread[-1])).sum())
    assert ends["coverage"] == metrics.wilson(hits, 200)
    assert ends["crossing"] == metrics.wilson(0, 200)
    low, high = ends["pinball"]
    assert low < quantile.pinball(truth, found.values, LEVELS).mean() < high


def test_a_comparison_leaves_out_what_is_better_neither_above_nor_below():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=100)
    one, other = (
        Quantiles(LEVELS, np.tile(np.quantile(truth, LEVELS) * scale, (100, 1))) for scale in (1, 2)
    )
    gaps = metrics.differences(
        "regression",
        truth,
        Answered(one.values[:, 1], None, one),
        Answered(other.values[:, 1], None, other),
        (),
    )
    assert {"pinball", "pinball_p5", "coverage_error", "interval_width", "rmse"} <= set(gaps)
    assert not {"coverage", "below_p5", "below_p50"} & set(gaps)
    assert gaps["pinball"].difference < 0
    plain = metrics.differences(
        "regression", truth, Answered(truth), Answered(other.values[:, 1], None, other), ()
    )
    assert set(plain) <= set(metrics.names("regression"))


@pytest.mark.parametrize(("level", "name"), [(0.05, "p5"), (0.5, "p50"), (0.025, "p2_5"), (0.999, "p99_9")])
def test_levels_have_names_that_settings_can_hold(level, name):
    assert quantile.percentile(level) == name
    assert metrics.require(f"pinball_{name}", "regression", (level,)) == f"pinball_{name}"
    assert metrics.require(f"below_{name}") == f"below_{name}"
    assert not metrics.higher_is_better(f"pinball_{name}")


def test_metrics_of_quantiles_are_of_models_that_answer_them():
    assert metrics.default("regression", LEVELS) == "pinball"
    with pytest.raises(SettingsError, match="no metric 'coverage' for a regression model;"):
        metrics.require("coverage", "regression")
    with pytest.raises(SettingsError, match=r"of these quantiles.*known: pinball, coverage"):
        metrics.require("pinball_p10", "regression", LEVELS)
    with pytest.raises(SettingsError, match="no metric 'pinball_px'"):
        metrics.require("pinball_px")


def test_numbers_of_another_size_are_aims_only_where_they_are_shares():
    assert metrics.aim("coverage", LEVELS) == pytest.approx(0.85)
    assert metrics.aim("below_p90", LEVELS) == 0.9
    assert metrics.aim("pinball", LEVELS) is None
    assert metrics.aim("rmse", ()) is None
