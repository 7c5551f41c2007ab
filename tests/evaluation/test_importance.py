"""What the answers rest on."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.errors import AuthorError
from modelyard.evaluation.importance import important
from modelyard.predictor import Answers, Predictor
from modelyard.records.package import Manifest
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, layout

SCHEMA = Schema(
    columns=(
        Column(name="strong", kind="float"),
        Column(name="weak", kind="float"),
        Column(name="noise", kind="float"),
        Column(name="ward", kind="string"),
        Column(name="y", kind="float"),
    ),
    target="y",
)


def model(answer, *, task="regression", classes=(), schema=SCHEMA) -> Predictor:
    manifest = Manifest(
        model="m",
        task=task,
        classes=classes,
        form="native",
        frame="pandas",
        schema=schema,
        layout=layout(schema),
        requirements=(),
        python="3.11",
        files=(),
    )
    return Predictor(manifest, answer)


def rows(n: int = 600):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n, 3))
    wards = np.array(["a", "b", None], dtype=object)[rng.choice(3, n, p=[0.6, 0.3, 0.1])]
    features = Batch(numbers, wards.reshape(-1, 1))
    return features, linear(features).prediction + rng.normal(0, 0.1, n)


def linear(batch: Batch) -> Answers:
    ward = np.where(batch.texts[:, 0] == "b", 1.0, 0.0)
    return Answers(3 * batch.numbers[:, 0] + 0.5 * batch.numbers[:, 1] + ward)


def test_features_come_by_what_their_shuffling_costs():
    features, truth = rows()
    found = important(model(linear), features, truth, seed=0)
    assert [f.column for f in found.features] == ["strong", "weak", "ward", "noise"]
    # |3 (a - b)| of two normal values has the mean 6 / sqrt(pi)
    assert found.features[0].increase == pytest.approx(6 / np.sqrt(np.pi), rel=0.1)
    assert all(f.low > 0 for f in found.features[:3])
    last = found.features[3]
    assert (last.increase, last.low, last.high) == (0.0, 0.0, 0.0)
    assert found.loss == "absolute_error"
    assert (found.rows, found.repeats) == (600, 5)
    assert found == important(model(linear), features, truth, seed=0)


def test_dependence_is_the_models_own_slope():
    features, truth = rows()
    found = important(model(linear), features, truth, seed=0)
    by_name = {d.column: d for d in found.dependence}
    assert set(by_name) == {"strong", "ward", "weak"}
    strong = by_name["strong"]
    assert np.diff(strong.answers) == pytest.approx(3 * np.diff(strong.values))
    assert by_name["ward"].labels == ("a", "b")
    assert np.diff(by_name["ward"].answers) == pytest.approx([1.0])


def test_a_wide_table_is_looked_at_on_fewer_rows():
    asked = []

    def counting(batch: Batch) -> Answers:
        asked.append(len(batch))
        return Answers(batch.numbers[:, 0])

    schema = Schema(
        columns=(*(Column(name=f"x{i}", kind="float") for i in range(300)), SCHEMA.columns[4]), target="y"
    )
    features = Batch(np.random.default_rng(0).normal(size=(3000, 300)), np.empty((3000, 0), dtype=object))
    found = important(model(counting, schema=schema), features, features.numbers[:, 0], seed=0)
    assert 100 <= found.rows < 600
    assert sum(asked) < 450_000
    assert len(found.features) == 300
    assert found.features[0].column == "x0"


def test_two_classes_draw_the_positives_probability_and_a_personal_column_is_not_drawn():
    features, _ = rows()
    secret = Schema(
        columns=(
            SCHEMA.columns[0],
            *SCHEMA.columns[1:3],
            Column(name="ward", kind="string", personal=True),
            SCHEMA.columns[4],
        ),
        target="y",
    )

    def answer(batch: Batch) -> Answers:
        p = 1 / (1 + np.exp(-linear(batch).prediction))
        return Answers(p > 0.5, np.column_stack([1 - p, p]))

    truth = answer(features).prediction
    found = important(
        model(answer, task="binary", classes=(False, True), schema=secret), features, truth, seed=0
    )
    assert found.loss == "brier"
    assert "ward" in {f.column for f in found.features}
    assert {d.column for d in found.dependence} == {"strong", "weak"}
    assert all(0 <= a <= 1 for d in found.dependence for a in d.answers)


def test_a_model_that_fails_on_shuffled_rows_does_not_stop_the_report():
    features, truth = rows()
    calls = []

    def fragile(batch: Batch) -> Answers:
        calls.append(1)
        if len(calls) > 1:
            raise AuthorError("predict raised ValueError: no such pair")
        return linear(batch)

    found = important(model(fragile), features, truth, seed=0)
    assert found.features == ()
    assert "no such pair" in found.note
