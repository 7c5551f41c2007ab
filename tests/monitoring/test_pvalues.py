"""Tests of two samples, held against scipy's own and against simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelyard.monitoring.pvalues import (
    benjamini_hochberg,
    chi_square,
    fisher,
    holm,
    ks,
    outside_p,
    psi,
    psi_bias,
    psi_p,
    smallest_shift,
    unseen_p,
)

CELLS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 90)), min_size=2, max_size=2)


@settings(deadline=None, max_examples=80)
@given(CELLS)
def test_fisher_is_scipys(cells: list[tuple[int, int]]) -> None:
    r, w = np.array(cells).T
    assert fisher(r, w) == pytest.approx(stats.fisher_exact([r, w]).pvalue, rel=1e-6, abs=1e-12)


def test_fisher_takes_large_counts() -> None:
    r, w = np.array([1000, 999_000]), np.array([1200, 998_800])
    assert fisher(r, w) == pytest.approx(2e-5, rel=0.2)


def test_chi_square_is_scipys() -> None:
    r, w = np.array([30, 50, 20, 9]), np.array([12, 40, 30, 3])
    expected = stats.chi2_contingency([r, w], correction=False)
    assert chi_square(r, w) == pytest.approx((expected.statistic, expected.pvalue))


def test_ks_is_scipys_where_every_value_has_a_bin() -> None:
    random = np.random.default_rng(3)
    a, b = random.integers(0, 50, 2000), random.integers(3, 53, 700)
    r, w = np.bincount(a, minlength=53), np.bincount(b, minlength=53)
    expected = stats.ks_2samp(a, b, method="asymp")
    distance, p = ks(r, w)
    assert distance == pytest.approx(expected.statistic)
    assert p == pytest.approx(stats.kstwobign.sf(distance * (2000 * 700 / 2700) ** 0.5))


def test_psi_is_zero_for_equal_samples_and_never_negative() -> None:
    r = np.array([10, 20, 30])
    assert psi(r, r) == 0
    assert psi_p(r, r) == 1
    assert psi(r, np.array([0, 0, 60])) > 1


def test_psi_exceeds_nothing_by_its_bias_on_average() -> None:
    random = np.random.default_rng(4)
    drawn = [(random.multinomial(5000, [0.1] * 10), random.multinomial(500, [0.1] * 10)) for _ in range(1000)]
    assert np.mean([psi(r, w) for r, w in drawn]) == pytest.approx(psi_bias(*drawn[0]), rel=0.05)


@pytest.mark.parametrize(("n", "m"), [(5000, 500), (455, 500), (455, 50)])
def test_psi_p_holds_its_level(n: int, m: int) -> None:
    random, share = np.random.default_rng(5), [0.1] * 10
    p = [psi_p(random.multinomial(n, share), random.multinomial(m, share)) for _ in range(2000)]
    for alpha in (0.05, 0.01):
        assert sum(np.array(p) <= alpha) <= stats.binom.ppf(0.999, 2000, alpha)


def test_outside_is_the_beta_binomial() -> None:
    assert outside_p(455, 500, 5) == pytest.approx(stats.betabinom.sf(4, 500, 2, 454))
    assert outside_p(455, 500, 0) == 1
    assert outside_p(1, 500, 500) == 1
    assert outside_p(455, 500, 500) < 1e-100


def test_outside_holds_its_level_by_simulation() -> None:
    random, p = np.random.default_rng(6), []
    for _ in range(1000):
        r, w = random.normal(size=100), random.normal(size=200)
        p.append(outside_p(100, 200, int(((w < r.min()) | (w > r.max())).sum())))
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.07


def test_unseen_labels_are_expected_where_rare_ones_are_usual() -> None:
    random = np.random.default_rng(7)
    share = 1 / np.arange(1, 200) ** 1.3
    share /= share.sum()
    p, expected, found = [], [], []
    for _ in range(600):
        r, w = random.multinomial(455, share), random.multinomial(300, share)
        seen = {str(i): int(n) for i, n in enumerate(r) if n}
        window = {label: int(w[int(label)]) for label in seen}
        new = {str(i): int(n) for i, n in enumerate(w) if n and not r[i]}
        e, chance = unseen_p(seen, window, new, 0)
        p.append(chance)
        expected.append(e)
        found.append(sum(new.values()))
    assert np.mean(expected) == pytest.approx(np.mean(found), rel=0.05)
    assert sum(np.array(p) <= 0.05) <= stats.binom.ppf(0.99, 600, 0.05)


def test_one_new_label_among_settled_ones() -> None:
    settled, window = {"a": 3000, "b": 2000}, {"a": 280, "b": 200}
    assert unseen_p(settled, window, {}, 0) == (0.0, 1.0)
    assert unseen_p(settled, window, {"c": 1}, 0)[1] == pytest.approx(481 / 5481, rel=1e-6)
    assert unseen_p(settled, window, {"c": 20}, 0)[1] < 1e-15
    assert unseen_p(settled, window, {"c": 1}, 100_000)[1] < 1e-300


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_ordered_and_never_below_the_p_value(p: list[float]) -> None:
    by_holm, by_bh = holm(p), benjamini_hochberg(p)
    for raw, bh, h in zip(p, by_bh, by_holm, strict=True):
        assert raw <= bh * (1 + 1e-12) <= h * (1 + 1e-9)
        assert h <= min(1, len(p) * raw) + 1e-12 or h <= 1
    for (i, a), (j, b) in itertools.combinations(enumerate(p), 2):
        if a < b:
            assert by_holm[i] <= by_holm[j]
            assert by_bh[i] <= by_bh[j]
    assert by_bh == pytest.approx(stats.false_discovery_control(p).tolist())


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert benjamini_hochberg([]) == []


def test_the_smallest_shift_is_found_four_times_in_five() -> None:
    shift = smallest_shift(5000, 500, 10, 0.05, 0.0)
    random, found = np.random.default_rng(8), 0
    for _ in range(500):
        edges = np.quantile(random.normal(size=5000), np.arange(1, 10) / 10)
        w = np.bincount(np.searchsorted(edges, random.normal(shift, 1, 500)), minlength=10)
        found += psi_p(np.full(10, 500), w) <= 0.05
    assert found / 500 == pytest.approx(0.8, abs=0.06)
    assert smallest_shift(5000, 500, 10, 0.05, 0.05) > shift
    assert smallest_shift(5000, 500, 10, 0.001, 0.0) > shift
