"""What probabilities and decisions are worth, and how groups are treated."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard import gates
from modelyard.errors import SettingsError
from modelyard.evaluation.cells import cut
from modelyard.evaluation.decision import calibrated, priced
from modelyard.evaluation.fairness import treated
from modelyard.evaluation.wanted import Prices
from modelyard.metrics import Answered
from modelyard.records.gate import FairnessRule

CLASSES = ("no", "yes")


def labels(said) -> np.ndarray:
    return np.array(CLASSES, dtype=object)[np.asarray(said, dtype=int)]


def rows(n: int = 4000, seed: int = 0):
    """Outcomes that come as often as is stated, and the answers."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 0.9, n)
    return labels(rng.random(n) < p), Answered(labels(p > 0.5), np.column_stack([1 - p, p]))


def test_honest_probabilities_cost_least_at_the_threshold_of_the_prices():
    truth, answers = rows()
    found = priced("binary", truth, answers, CLASSES, Prices(1.0, 4.0))
    assert found.threshold == pytest.approx(0.2)
    assert found.difference.high < 0
    assert found.at_threshold - found.packaged == pytest.approx(found.difference.value)
    (_, alarms), (missed, _) = found.confusion
    assert found.at_threshold == pytest.approx((alarms + 4 * missed) / 4000)
    assert sum(map(sum, found.confusion)) == 4000
    at = found.thresholds.index(pytest.approx(0.2))
    assert found.costs[at] == pytest.approx(found.at_threshold)
    assert found.costs[0] == pytest.approx((truth == "no").mean())
    assert min(found.costs) >= 0.9 * found.at_threshold


def test_equal_prices_change_nothing():
    truth, answers = rows()
    found = priced("binary", truth, answers, CLASSES, Prices(3.0, 3.0))
    assert found.threshold == 0.5
    assert (found.difference.value, found.difference.low, found.difference.high) == (0.0, 0.0, 0.0)


def test_dishonest_probabilities_are_found_out():
    truth, answers = rows()
    squeezed = answers.probability[:, 1] * 0.15
    lying = Answered(answers.prediction, np.column_stack([1 - squeezed, squeezed]))
    found = priced("binary", truth, lying, CLASSES, Prices(1.0, 4.0))
    assert found.difference.low > 0
    assert calibrated("binary", truth, lying, CLASSES).intercept.low > 0.5


def test_what_has_no_two_classes_or_no_probabilities_has_no_price():
    truth, answers = rows(50)
    with pytest.raises(SettingsError, match="without probabilities"):
        priced("binary", truth, Answered(answers.prediction), CLASSES, Prices(1.0, 1.0))
    with pytest.raises(SettingsError, match="regression"):
        priced("regression", truth, answers, CLASSES, Prices(1.0, 1.0))
    assert calibrated("binary", truth, Answered(answers.prediction), CLASSES) is None
    assert calibrated("multiclass", truth, answers, CLASSES) is None


def group(column: str, *parts: tuple[str, int, int, int, int]):
    """Rows of groups with so many true and false negatives and positives: tn, fp, fn, tp."""
    wards, truth, said = [], [], []
    for name, *cells in parts:
        for count, (t, s) in zip(cells, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
            wards += [name] * count
            truth += [t] * count
            said += [s] * count
    values = np.empty(len(wards), dtype=object)
    values[:] = wards
    return labels(truth), Answered(labels(said)), cut(column, "string", values)


def test_rates_and_gaps_of_groups():
    truth, answers, cells = group("sex", ("f", 100, 20, 14, 56), ("m", 90, 30, 32, 48), ("x", 2, 1, 1, 1))
    found = treated("binary", truth, answers, CLASSES, cells, min_rows=30)
    assert [(g.label, g.rows, g.judged) for g in found.groups] == [
        ("m", 200, True),
        ("f", 190, True),
        ("x", 5, False),
    ]
    by_label = {g.label: g for g in found.groups}
    assert by_label["f"].tpr.value == pytest.approx(0.8)
    assert by_label["m"].fpr.value == pytest.approx(0.25)
    assert by_label["f"].ppv.value == pytest.approx(56 / 76)
    assert by_label["f"].selection.value == pytest.approx(76 / 190)
    gap = found.gap("tpr")
    assert (gap.most, gap.least) == ("f", "m")
    # statsmodels 0.15, confint_proportions_2indep, "newcomb" and "log"
    assert (gap.gap, gap.low, gap.high) == pytest.approx((0.2, 0.0524315, 0.3338727), abs=1e-6)
    assert (gap.ratio, gap.ratio_low, gap.ratio_high) == pytest.approx((0.75, 0.6056024, 0.9288273), abs=1e-6)


def test_gates_on_groups_pass_and_fail_with_the_numbers():
    truth, answers, cells = group("sex", ("f", 100, 20, 14, 56), ("m", 90, 30, 32, 48))
    found = [treated("binary", truth, answers, CLASSES, cells, min_rows=30)]

    def outcomes(**bounds):
        return gates.fair([FairnessRule(by="sex", **bounds)], found)

    (failed,) = outcomes(max_gap=0.1)
    assert (failed.passed, failed.by, failed.rule) == (False, "sex", "max_gap")
    assert "a gap of 0.2 (" in failed.sentence
    assert "between f and m, above 0.1" in failed.sentence
    assert outcomes(max_gap=0.21)[0].passed
    assert outcomes(min_ratio=0.7)[0].passed
    assert "below 0.8" in outcomes(min_ratio=0.8)[0].sentence
    assert [o.passed for o in outcomes(metric="equalized_odds", max_gap=0.15)] == [False, True]
    assert outcomes(metric="predictive_parity", max_gap=0.15)[0].passed
    assert outcomes() == ()


def test_a_gap_that_the_rows_do_not_tell_is_not_met():
    truth, answers, cells = group("sex", ("f", 100, 20, 14, 56), ("m", 3, 1, 1, 1))
    found = [treated("binary", truth, answers, CLASSES, cells, min_rows=30)]
    (outcome,) = gates.fair([FairnessRule(by="sex", max_gap=0.9)], found)
    assert not outcome.passed
    assert "fewer than two groups" in outcome.sentence
    never = group("sex", ("f", 50, 0, 50, 0), ("m", 50, 0, 50, 0))
    silent = [treated("binary", never[0], never[1], CLASSES, never[2], min_rows=30)]
    assert silent[0].gap("ppv") is None
    assert silent[0].gap("tpr").ratio is None
    assert gates.fair([FairnessRule(by="sex", max_gap=0.0)], silent)[0].passed
    assert not gates.fair([FairnessRule(by="sex", min_ratio=0.1)], silent)[0].passed


def test_groups_of_more_classes_are_a_misuse():
    truth, answers, cells = group("sex", ("f", 5, 5, 5, 5))
    with pytest.raises(SettingsError, match="two classes"):
        treated("multiclass", truth, answers, CLASSES, cells, min_rows=1)
