from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import DataRefused, SettingsError
from modelyard.training import tell


def _objects(values: list[object]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        (_objects(["m", "b", "m"]), ("binary", ("b", "m"))),
        (_objects(["c", "a", "b"]), ("multiclass", ("a", "b", "c"))),
        (np.array([True, False]), ("binary", (False, True))),
        (np.array([1, 0, 1]), ("binary", (0, 1))),
        (np.array([3, -1, 2]), ("multiclass", (-1, 2, 3))),
        (np.arange(20), ("multiclass", tuple(range(20)))),
        (np.arange(21), ("regression", ())),
        (np.array([0.0, 1.0]), ("regression", ())),
        (_objects([str(i) for i in range(30)]), ("multiclass", tuple(sorted(str(i) for i in range(30))))),
    ],
)
def test_the_task_follows_from_the_target(values: np.ndarray, answer: object) -> None:
    assert tell(values) == answer


@given(st.lists(st.integers(-5, 5), min_size=2).filter(lambda v: len(set(v)) > 1))
def test_classes_are_sorted_and_python_s_own_whatever_the_order(values: list[int]) -> None:
    task, classes = tell(np.array(values))
    assert list(classes) == sorted(set(values))
    assert all(type(label) is int for label in classes)
    assert tell(np.array(values[::-1])) == (task, classes)


def test_a_declared_task_decides_where_both_would_do() -> None:
    assert tell(np.array([1, 2, 3]), "regression") == ("regression", ())
    assert tell(np.arange(30), "multiclass") == ("multiclass", tuple(range(30)))
    assert tell(np.array([0, 1]), "multiclass") == ("multiclass", (0, 1))


@pytest.mark.parametrize(
    ("values", "declared", "says"),
    [
        (_objects(["a", "b"]), "regression", "needs a number"),
        (np.array([True, False]), "regression", "a boolean"),
        (np.array([0.5, 1.0]), "binary", "needs classes"),
        (np.array([0.5, 1.0]), "multiclass", "needs classes"),
        (np.array([0, 1, 2]), "binary", 'the target has 3; use "multiclass"'),
    ],
)
def test_a_declared_task_that_does_not_fit_is_refused(values: np.ndarray, declared: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        tell(values, declared)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([]), "no rows"),
        (_objects(["a", None, "b"]), "missing in 1 of 3"),
        (np.array([0.5, np.nan, np.nan]), "missing in 2 of 3"),
        (np.array([0.5, np.inf, -np.inf]), "infinite in 2 of 3"),
        (_objects(["a", "a"]), r"one value only \('a'\)"),
        (np.array([1, 1, 1]), r"one value only \(1\)"),
        (np.array([2.5, 2.5]), "one value only"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"), "type datetime64"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(values: np.ndarray, says: str) -> None:
    with pytest.raises(DataRefused, match=says):
        tell(values)


def test_several_labels_are_a_task_of_their_own() -> None:
    held = np.array([[True, False], [False, True], [True, True]])
    assert tell(held, None, ("rain", "fog")) == ("multilabel", ("rain", "fog"))
    assert tell(held, "multilabel", ("rain", "fog")) == ("multilabel", ("rain", "fog"))
    with pytest.raises(SettingsError, match=r'task = "regression" has one target, and the dataset has 2'):
        tell(held, "regression", ("rain", "fog"))
    with pytest.raises(SettingsError, match="list their columns in 'target'"):
        tell(np.array([0, 1]), "multilabel")
    with pytest.raises(DataRefused, match="'fog' is true in all 3 training rows"):
        tell(held | [False, True], None, ("rain", "fog"))
