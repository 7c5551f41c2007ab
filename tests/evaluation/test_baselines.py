"""Simpler answers, learned from the training rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from modelyard.evaluation.baselines import baselines
from modelyard.metrics import Answered
from modelyard.predictor import Predictor
from modelyard.records.package import Manifest
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, layout

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="float", nullable=True),
        Column(name="z", kind="float"),
        Column(name="ward", kind="string"),
        Column(name="y", kind="string"),
    ),
    target="y",
)
CLASSES = ("no", "yes")


def predictor(task="binary", classes=CLASSES) -> Predictor:
    manifest = Manifest(
        model="m",
        task=task,
        classes=classes,
        form="native",
        frame="pandas",
        schema=SCHEMA,
        layout=layout(SCHEMA),
        requirements=(),
        python="3.11",
        files=(),
    )
    return Predictor(manifest, lambda _: None)


def rows(n: int, seed: int, *, missing: float = 0.0):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 2))
    wards = np.array(["a", "b", None], dtype=object)[rng.choice(3, n)]
    score = 2 * numbers[:, 0] + np.where(wards == "b", 1.5, 0.0)
    numbers[rng.random(n) < missing, 0] = np.nan
    truth = np.array(CLASSES, dtype=object)[(rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)]
    return Batch(numbers, wards.reshape(-1, 1)), truth, score


def test_guessing_and_a_logistic_regression_stand_beside_the_model():
    train, learned, _ = rows(800, 1)
    features, truth, score = rows(500, 2)
    p = 1 / (1 + np.exp(-score))
    best = Answered(np.array(CLASSES, dtype=object)[(p > 0.5).astype(int)], np.column_stack([1 - p, p]))
    prior, logistic = baselines(predictor(), best, features, truth, (train, learned), seed=0)
    by_name = {m.name: m for m in prior.metrics}
    assert (prior.name, prior.rows) == ("prior", 800)
    assert by_name["roc_auc"].champion == 0.5
    share = (learned == "yes").mean()
    assert by_name["brier"].champion == pytest.approx(((truth == "yes") - share).__pow__(2).mean())
    assert by_name["roc_auc"].low > 0.2
    assert logistic.name == "logistic"
    area = next(m for m in logistic.metrics if m.name == "roc_auc")
    own = [
        np.column_stack([b.numbers, b.texts[:, 0] == "b", b.texts[:, 0] == "a"]).astype(float)
        for b in (train, features)
    ]
    theirs = LogisticRegression().fit(own[0], learned).predict_proba(own[1])[:, 1]
    assert area.champion == pytest.approx(roc_auc_score(truth == "yes", theirs), abs=0.01)
    assert abs(area.difference) < 0.03


def test_missing_values_and_labels_never_seen_are_no_obstacle():
    train, learned, _ = rows(300, 1, missing=0.2)
    features, truth, _ = rows(200, 2, missing=0.2)
    features.texts[:5, 0] = "never seen"
    guess = Answered(truth, np.column_stack([truth == "no", truth == "yes"]).astype(float))
    _, logistic = baselines(predictor(), guess, features, truth, (train, learned), seed=0)
    assert all(np.isfinite(m.champion) for m in logistic.metrics)


def test_numbers_have_their_mean_and_a_ridge():
    train, _, learned = rows(400, 1)
    features, _, truth = rows(300, 2)
    mean, ridge = baselines(
        predictor("regression", ()), Answered(truth), features, truth, (train, learned), seed=0
    )
    r2 = {m.name: m.champion for m in ridge.metrics}["r2"]
    assert {m.name: m.champion for m in mean.metrics}["r2"] == pytest.approx(0.0, abs=0.05)
    assert r2 == pytest.approx(1.0, abs=0.01)
    assert (mean.name, ridge.name) == ("mean", "ridge")


def test_three_classes():
    train, _, score = rows(600, 1)
    labels = np.digitize(score, [-1, 1])
    features, _, others = rows(300, 2)
    truth = np.digitize(others, [-1, 1])
    found = baselines(
        predictor("multiclass", (0, 1, 2)),
        Answered(truth, np.eye(3)[truth]),
        features,
        truth,
        (train, labels),
        seed=0,
    )
    assert {m.name: m.champion for m in found[1].metrics}["accuracy"] > 0.8


def test_training_rows_that_cannot_teach_leave_the_baselines_out():
    train, learned, _ = rows(100, 1)
    features, truth, _ = rows(100, 2)
    answers = Answered(truth)
    strange = learned.copy()
    strange[0] = "perhaps"
    assert baselines(predictor(), answers, features, truth, (train, strange), seed=0) == ()
    one = np.full(100, "no", dtype=object)
    assert [b.name for b in baselines(predictor(), answers, features, truth, (train, one), seed=0)] == [
        "prior"
    ]
