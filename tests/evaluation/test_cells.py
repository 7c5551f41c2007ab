"""Columns cut into cells: every row in one, equal values together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.evaluation.cells import MOST, cut


def counts(cells):
    return {label: len(cells.rows(at)) for at, label in enumerate(cells.labels)}


def texts(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_categories_by_falling_rows_with_what_is_missing_last():
    cells = cut("ward", "string", texts("b", "a", "b", None, "a", "b"))
    assert counts(cells) == {"b": 3, "a": 2, "missing": 1}
    assert cells.labels[-1] == "missing"


def test_many_categories_end_in_one():
    cells = cut("id", "string", texts(*(f"k{i:03}" for i in range(100)), None))
    assert len(cells.labels) == MOST + 2
    assert counts(cells)["all others (80)"] == 80


def test_few_numbers_are_cells_and_many_are_quarters():
    assert counts(cut("n", "integer", np.array([1.0, 2, 2, np.nan]))) == {"1": 1, "2": 2, "missing": 1}
    quarters = cut("x", "float", np.arange(1.0, 101.0))
    assert counts(quarters) == {"up to 25": 25, "above 25 to 50": 25, "above 50 to 75": 25, "above 75": 25}


def test_edges_are_the_upper_ends_and_empty_bins_are_left_out():
    cells = cut("age", "integer", np.array([18.0, 30, 31, 99, np.nan]), (30.0, 45.0, 60.0))
    assert counts(cells) == {"up to 30": 2, "above 30 to 45": 1, "above 60": 1, "missing": 1}


def test_booleans_days_and_nothing_at_all():
    assert counts(cut("b", "boolean", np.array([0.0, 1, np.nan]))) == {"false": 1, "true": 1, "missing": 1}
    assert "1970-01-02" in cut("d", "date", np.array([0.0, 1.0])).labels
    assert counts(cut("x", "float", np.full(3, np.nan))) == {"missing": 3}


def test_others_are_cut_where_the_first_ones_were():
    first = np.arange(1.0, 101.0)
    assert counts(cut("x", "float", np.array([3.0, 25, 26, 1000, np.nan]), like=first)) == {
        "up to 25": 2,
        "above 25 to 50": 1,
        "above 75": 1,
        "missing": 1,
    }
    few = cut("n", "integer", np.array([2.0, 7, 2, np.nan]), like=np.array([1.0, 2.0]))
    assert counts(few) == {"2": 2, "all others": 1, "missing": 1}
    kinds = cut("ward", "string", texts("a", "z", None), like=texts("b", "a", "a"))
    assert counts(kinds) == {"a": 1, "all others (0)": 1, "missing": 1}


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")) | st.integers(0, 9).map(float), min_size=1))
def test_every_row_is_in_one_cell_and_cells_keep_order(values):
    array = np.array(values)
    cells = cut("x", "float", array)
    assert sum(counts(cells).values()) == len(values)
    assert all(counts(cells).values())
    known = np.isfinite(array)
    order = np.argsort(array[known], kind="stable")
    assert (np.diff(cells.codes[known][order]) >= 0).all()


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_value_that_most_rows_share_is_not_torn(share):
    array = np.where(np.arange(200) < 200 * share, 0.0, np.arange(200.0))
    cells = cut("x", "float", array)
    assert len(set(cells.codes[array == 0].tolist())) == 1
