"""The look for weak slices: finds what is weak, and in noise nothing."""

from __future__ import annotations

import numpy as np

from modelyard.evaluation.cells import cut
from modelyard.evaluation.search import search


def columns(n: int, seed: int, count: int = 8):
    rng = np.random.default_rng(seed)
    labels = np.array(list("abcd"), dtype=object)
    found = []
    for at in range(count):
        if at % 2:
            found.append(cut(f"x{at}", "float", rng.normal(size=n)))
        else:
            found.append(cut(f"k{at}", "string", labels[rng.integers(0, 4, n)]))
    return found


def brier(n: int, seed: int):
    rng = np.random.default_rng(seed + 10_000)
    p = rng.beta(0.4, 2, n)
    return (p - (rng.random(n) < p)) ** 2


def look(cells, loss, wrong=None):
    return search(cells, loss, wrong, name="brier", min_rows=30, seed=0)


def test_a_pair_that_is_weak_is_found_and_told_by_the_other_half():
    cells = columns(3000, 1)
    weak = (cells[0].codes == 1) & (cells[3].codes == 2)
    wrong = np.random.default_rng(2).random(3000) < np.where(weak, 0.5, 0.1)
    found = look(cells, wrong.astype(float), wrong)
    first = found.found[0]
    assert {(c.column, c.label) for c in first.where} == {
        ("k0", cells[0].labels[1]),
        ("x3", cells[3].labels[2]),
    }
    assert first.rows == weak.sum()
    assert first.wrong > 0.3 > first.wrong_elsewhere
    assert first.p < 0.001
    assert (found.rows, found.columns) == (3000, 8)
    assert found.looked > found.candidates > 0


def test_a_single_condition_is_told_by_itself():
    cells = columns(2000, 3)
    loss = brier(2000, 3) + 0.3 * (cells[2].codes == 0)
    (first, *_) = look(cells, loss).found
    assert [(c.column, c.label) for c in first.where] == [("k2", cells[2].labels[0])]
    assert first.wrong is None


def test_in_noise_nothing_is_reported_but_rarely():
    reports = sum(bool(look(columns(300, seed), brier(300, seed)).found) for seed in range(100))
    assert reports <= 12  # more than 12 of 100 at 5 % happens once in a thousand times


def test_too_few_rows_are_not_searched():
    found = look(columns(60, 0), brier(60, 0))
    assert found.found == ()
    assert "60 rows are too few" in found.note


def test_a_model_without_a_fault_and_columns_without_a_choice_end_quietly():
    assert look(columns(200, 0), np.zeros(200)).found == ()
    assert look([], brier(200, 0)).looked == 0
    assert look([cut("x", "float", np.ones(200))], brier(200, 0)).looked == 0
