"""Metrics by name, and what cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard import metrics
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.metrics import binary, regression


def test_each_task_has_its_default_among_its_names():
    assert [metrics.default(t) for t in ("binary", "multiclass", "regression")] == [
        "roc_auc",
        "accuracy",
        "r2",
    ]
    for task in ("binary", "multiclass", "regression"):
        assert metrics.default(task) in metrics.names(task)


def test_directions():
    higher = {
        n
        for t in ("binary", "multiclass", "regression")
        for n in metrics.names(t)
        if metrics.higher_is_better(n)
    }
    assert {"roc_auc", "mcc", "f1_macro", "r2"} <= higher
    assert higher.isdisjoint({"log_loss", "brier", "expected_calibration_error", "rmse", "mae", "mape"})


def test_an_unknown_metric_gets_its_neighbour_and_the_list():
    with pytest.raises(SettingsError, match=r"'roc_acu'.*did you mean 'roc_auc'.*known: .*brier"):
        metrics.higher_is_better("roc_acu")
    with pytest.raises(SettingsError, match="no metric 'r2' for a binary model"):
        metrics.require("r2", "binary")


@pytest.mark.parametrize("classes", [(False, True), (3, 8), ("no", "yes")])
def test_the_last_of_two_classes_is_the_positive_one(classes):
    truth = np.array([classes[0], classes[1], classes[1]], dtype=object)
    prediction = np.array([classes[0], classes[1], classes[0]], dtype=object)
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = metrics.score("binary", truth, prediction, probability, classes)
    assert found["recall"] == 0.5
    assert found["precision"] == 1.0
    assert found["roc_auc"] == 1.0
    assert tuple(found) == metrics.names("binary")


def test_without_probabilities_only_labels_are_scored():
    truth = np.array(["a", "b", "b"], dtype=object)
    found = metrics.score("binary", truth, truth, None, ("a", "b"))
    assert "accuracy" in found
    assert "roc_auc" not in found


def test_labels_of_numpy_types_are_the_classes():
    truth = np.array([0, 1, 2], dtype=np.int8)
    probability = np.eye(3)
    found = metrics.score("multiclass", truth, truth.astype(np.int64), probability, (0, 1, 2))
    assert found["accuracy"] == 1.0


def test_a_true_class_unknown_to_the_model_is_named():
    with pytest.raises(DataRefused, match="'c'"):
        metrics.score("binary", np.array(["a", "c"]), np.array(["a", "b"]), None, ("a", "b"))


def test_an_answer_that_is_no_class_is_the_authors_fault():
    with pytest.raises(AuthorError, match="'B'"):
        metrics.score("binary", np.array(["a", "b"]), np.array(["a", "B"]), None, ("a", "b"))


def test_no_rows_cannot_be_scored():
    with pytest.raises(DataRefused, match="no rows"):
        metrics.score("regression", np.array([]), np.array([]), None, ())


def test_every_score_by_name_is_the_public_function():
    rng = np.random.default_rng(0)
    truth, score = rng.random(70) < 0.4, rng.random(70).round(1)
    prediction, both = score > 0.5, np.column_stack([1 - score, score])
    for name, value in metrics.score("binary", truth, prediction, both, (False, True)).items():
        of_labels = name in (
            "accuracy",
            "balanced_accuracy",
            "precision",
            "recall",
            "specificity",
            "f1",
            "mcc",
        )
        function = getattr(binary, name)
        assert value == pytest.approx(float(function(truth, prediction if of_labels else score))), name
    numbers = metrics.score("regression", truth + score, score + 0.5, None, ())
    for name in metrics.names("regression"):
        expected = float(getattr(regression, name)(truth + score, score + 0.5))
        assert numbers[name] == pytest.approx(expected, nan_ok=True), name


def test_one_metric_is_what_all_of_them_give():
    rng = np.random.default_rng(3)
    for task, c in (("binary", 2), ("multiclass", 4)):
        probability = rng.dirichlet(np.ones(c), 60)
        truth, answers, classes = rng.integers(c, size=60), probability.argmax(axis=1), tuple(range(c))
        for name, expected in metrics.score(task, truth, answers, probability, classes).items():
            assert metrics.value(name, task, truth, answers, probability, classes) == pytest.approx(expected)
        assert np.isnan(metrics.value("log_loss", task, truth, answers, None, classes))
    truth, answers = rng.normal(size=60), rng.normal(size=60)
    for name, expected in metrics.score("regression", truth, answers, None, ()).items():
        assert metrics.value(name, "regression", truth, answers, None, ()) == pytest.approx(expected)
    with pytest.raises(SettingsError, match="no metric 'f1' for a regression model"):
        metrics.value("f1", "regression", truth, answers, None, ())
