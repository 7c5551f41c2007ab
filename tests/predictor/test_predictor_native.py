from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelyard.errors import AuthorError, ExtraMissing, Tampered, Unconvertible
from modelyard.predictor import Fitted, answer, decide, label_array
from modelyard.predictor.locked import require
from modelyard.predictor.safe import loads
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch

SCHEMA = Schema(columns=(Column(name="a", kind="float"), Column(name="y", kind="string")), target="y")
BATCH = Batch(np.array([[1.0], [2.0], [3.0]]), np.empty((3, 0), dtype=object))


def asked(given_answer: Any, *, task: Any = "binary", classes: Any = ("no", "yes")) -> Any:
    fitted = Fitted(None, task, classes, predict=lambda _, __: given_answer)
    return answer(fitted, BATCH, SCHEMA)


@given(arrays.arrays(np.float64, (5, 3), elements=st.floats(0, 1)))
def test_the_first_of_equal_classes_wins(probability: Any) -> None:
    labels = decide(probability, label_array(("a", "b", "c")))
    for row, label in zip(probability.tolist(), labels.tolist(), strict=True):
        assert label == "abc"[row.index(max(row))]


@pytest.mark.parametrize(
    ("classes", "kind"),
    [((False, True), np.bool_), ((0, 1), np.int64), (("a", "b"), object), ((1, "b"), object)],
)
def test_labels_keep_their_type(classes: Any, kind: Any) -> None:
    assert label_array(classes).dtype == kind
    assert label_array(classes).tolist() == list(classes)


def test_what_predict_may_return() -> None:
    found = asked([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    assert found.prediction.tolist() == ["no", "no", "yes"]
    assert found.probability.dtype == np.float64
    found = asked(["yes", "no", "yes"])
    assert found.prediction.tolist() == ["yes", "no", "yes"]
    assert found.probability is None
    assert asked([0, 1, 1], task="regression", classes=()).prediction.tolist() == [0.0, 1.0, 1.0]
    assert asked([[0], [1], [1]], task="regression", classes=()).prediction.shape == (3,)
    assert asked([1, 0, 1], classes=(False, True)).prediction.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("given_answer", "said"),
    [
        ([[0.9, 0.1]], r"shape \[1, 2\] where \[3, 2\]"),
        ([[0.9, 0.1, 0.0]] * 3, r"shape \[3, 3\] where \[3, 2\]"),
        ([[0.9, np.nan]] * 3, "gave nan for row 1"),
        (["yes", "no"], r"shape \[2\]"),
        (["yes", "no", "maybe"], "gave 'maybe', which is none of the classes"),
        ([0.1, 0.2, 0.3], "gave 0.1, which is none of the classes"),
        (None, r"shape \[\]"),
        ([[["a"]]], "shape"),
        ([["a", "b"]] * 3, "not numbers"),
    ],
)
def test_nonsense_is_named(given_answer: Any, said: str) -> None:
    with pytest.raises(AuthorError, match=said):
        asked(given_answer)


def test_a_regression_must_be_finite_numbers() -> None:
    with pytest.raises(AuthorError, match="gave inf for row 2"):
        asked([1.0, np.inf, 2.0], task="regression", classes=())
    with pytest.raises(AuthorError, match="not numbers"):
        asked(["a", "b", "c"], task="regression", classes=())


def test_an_error_of_the_authors_is_one_line() -> None:
    def broken(_: Any, __: Any) -> Any:
        raise KeyError("b\nmore")

    with pytest.raises(AuthorError, match=r"^predict in model\.py raised KeyError: 'b\\nmore'$"):
        answer(Fitted(None, "binary", ("no", "yes"), predict=broken), BATCH, SCHEMA)
    with pytest.raises(AuthorError, match="without 'predict'"):
        answer(Fitted(object(), "binary", ("no", "yes")), BATCH, SCHEMA)


class Partial:
    """A classifier that saw two of three classes, in another order."""

    classes_ = np.array(["c", "a"], dtype=object)

    def predict_proba(self, rows: Any) -> Any:
        return np.tile([0.75, 0.25], (len(rows), 1))


def test_columns_follow_the_packages_classes() -> None:
    found = answer(Fitted(Partial(), "multiclass", ("a", "b", "c")), BATCH, SCHEMA)
    assert found.probability is not None
    assert found.probability[0].tolist() == [0.25, 0.0, 0.75]
    assert found.prediction.tolist() == ["c"] * 3


def test_other_versions_are_one_sentence() -> None:
    require((f"numpy=={np.__version__}", "a-free-one"), "this")
    with pytest.raises(ExtraMissing, match=r"this needs numpy==1\.0, but numpy .* is installed here"):
        require(("numpy==1.0",), "this")
    with pytest.raises(ExtraMissing, match="no-such-thing is not installed"):
        require(("no-such-thing==1.0",), "this")


def test_a_file_that_is_no_model() -> None:
    with pytest.raises(Tampered, match="cannot be loaded"):
        loads(b"not a zip", "model.skops")


def test_a_type_outside_the_list_is_named() -> None:
    import skops.io

    with pytest.raises(Unconvertible, match="Partial, a type that is not safe to load"):
        loads(skops.io.dumps(Partial()), "model.skops")


@pytest.mark.parametrize("kind", ["tree", "boosting"])
def test_a_crafted_tree_is_refused_before_it_is_asked(kind: str) -> None:
    import skops.io
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    x, y = np.arange(200.0).reshape(-1, 2), np.arange(100) % 3 > 0
    if kind == "tree":
        model = GradientBoostingClassifier(n_estimators=2).fit(x, y)
        tree = model.estimators_[0, 0].tree_
        state = tree.__getstate__()
        state["nodes"]["left_child"][0] = 10_000
        tree.__setstate__(state)
    else:
        model = HistGradientBoostingClassifier(max_iter=2).fit(x, y)
        model._predictors[0][0].nodes["feature_idx"][0] = 10_000
    with pytest.raises(Tampered, match="lead outside"):
        loads(skops.io.dumps(model), "model.skops")


@pytest.mark.parametrize("kind", ["KDTree", "BallTree"])
@pytest.mark.parametrize(
    ("at", "change"),
    [
        (1, lambda index: index.__setitem__(3, 10_000)),
        (1, lambda index: index.__setitem__(3, -1)),
        (2, lambda nodes: nodes["idx_end"].__setitem__(-1, 10_000)),
        (2, lambda nodes: nodes["is_leaf"].__setitem__(-1, 0)),
        (3, lambda bounds: bounds[:, :1].copy()),
        (6, lambda count: count + 2),
    ],
)
def test_a_crafted_tree_of_neighbours_is_refused_before_it_is_asked(kind: str, at: int, change: Any) -> None:
    import skops.io
    from sklearn.neighbors import KNeighborsClassifier

    x, y = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 3 > 0
    model = KNeighborsClassifier(algorithm="kd_tree" if kind == "KDTree" else "ball_tree").fit(x, y)
    again = loads(skops.io.dumps(model), "model.skops")
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    state = [part.copy() if isinstance(part, np.ndarray) else part for part in model._tree.__getstate__()]
    changed = change(state[at])
    state[at] = state[at] if changed is None else changed
    model._tree.__setstate__(tuple(state))
    with pytest.raises(Tampered, match="lead outside"):
        loads(skops.io.dumps(model), "model.skops")


def test_a_model_that_exits_does_not_end_the_service() -> None:
    def leaves(model: Any, rows: Any) -> Any:  # noqa: ARG001
        raise SystemExit(3)

    with pytest.raises(AuthorError, match="raised SystemExit: 3"):
        answer(Fitted(None, "binary", ("no", "yes"), predict=leaves), BATCH, SCHEMA)


LABELS = ("rain", "wind", "fog")


def test_several_labels_are_answered_as_those_that_hold() -> None:
    found = asked(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]]), task="multilabel", classes=LABELS)
    assert found.prediction.tolist() == [["rain", "fog"], [], ["wind"]]
    assert found.probability is None
    chances = np.array([[0.5, 0.6, 0.2], [0.0, 1.0, 0.51], [0.1, 0.1, 0.1]])
    found = asked(chances, task="multilabel", classes=LABELS)
    assert found.prediction.tolist() == [["wind"], ["wind", "fog"], []]
    assert found.probability.tolist() == chances.tolist()
    assert found.take(np.array([1])).prediction.tolist() == [["wind", "fog"]]


def test_lists_of_a_matrix_a_label_are_read_by_their_classes() -> None:
    class Seen:
        classes_ = [np.array([0, 1]), np.array([0]), np.array([1])]

        def predict_proba(self, rows: Any) -> list[Any]:
            n = len(rows)
            return [np.tile([0.3, 0.7], (n, 1)), np.ones((n, 1)), np.ones((n, 1))]

    found = answer(Fitted(Seen(), "multilabel", LABELS), BATCH, SCHEMA)
    assert found.probability is not None
    assert found.probability[0].tolist() == [0.7, 0.0, 1.0]
    assert found.prediction.tolist() == [["rain", "fog"]] * 3


@pytest.mark.parametrize(
    ("given_answer", "says"),
    [
        ([1, 0, 1], r"where \[3, 3\] was expected"),
        ([[1, 0]] * 3, "for each of the labels rain, wind, fog"),
        ([[1, 2, 0]] * 3, "gave 2, which is neither yes"),
        ([[0.1, -0.1, 0.5]] * 3, "no probabilities of the labels"),
        ([[0.1, np.nan, 0.5]] * 3, "must be finite"),
        ([["yes", "no", "no"]] * 3, "values that are not numbers"),
    ],
)
def test_what_is_no_answer_of_labels_is_one_sentence(given_answer: Any, says: str) -> None:
    with pytest.raises(AuthorError, match=says):
        asked(np.array(given_answer), task="multilabel", classes=LABELS)
