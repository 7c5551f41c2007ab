"""Answers to rows that were disturbed a little."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.errors import AuthorError
from modelyard.evaluation.stability import shaken
from modelyard.predictor import Answers, Predictor
from modelyard.records.package import Manifest
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, layout

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="float"),
        Column(name="count", kind="integer", nullable=True),
        Column(name="flag", kind="boolean"),
        Column(name="ward", kind="string", nullable=True),
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


def rows(n: int = 1000) -> Batch:
    rng = np.random.default_rng(0)
    numbers = np.column_stack([rng.normal(0, 2, n), rng.integers(0, 50, n), rng.integers(0, 2, n)])
    return Batch(numbers.astype(float), np.full((n, 1), "a", dtype=object))


def test_noise_moves_a_linear_model_by_its_own_size():
    features = rows()
    seen = []

    def linear(batch: Batch) -> Answers:
        seen.append(batch)
        return Answers(batch.numbers[:, 0].copy())

    found = shaken(model(linear), features, features.numbers[:, 0], seed=0)
    noise = [s for s in found.shakes if s.kind == "noise"]
    spread = features.numbers[:, 0].std()
    assert [s.level for s in noise] == [0.01, 0.05, 0.1]
    for shake in noise:
        assert shake.columns == 2
        # the mean of |normal| is sqrt(2 / pi) of its deviation
        assert shake.moved == pytest.approx(shake.level * spread * np.sqrt(2 / np.pi), rel=0.1)
        assert shake.growth == pytest.approx(shake.moved)
        assert 0 < shake.low < shake.growth < shake.high
    for batch in seen:
        known = np.isfinite(batch.numbers[:, 1])
        assert (batch.numbers[known, 1] == np.rint(batch.numbers[known, 1])).all()
        assert set(batch.numbers[:, 2]) <= {0.0, 1.0}
        assert np.isfinite(batch.numbers[:, 0]).all()
    missing = [s for s in found.shakes if s.kind == "missing"]
    assert [(s.level, s.columns) for s in missing] == [(0.05, 2), (0.2, 2)]
    assert np.isnan(seen[-1].numbers[:, 1]).mean() == pytest.approx(0.2, abs=0.04)
    assert sum(v is None for v in seen[-1].texts[:, 0]) / 1000 == pytest.approx(0.2, abs=0.04)


def test_labels_that_change_are_counted_and_nothing_is_blanked_that_may_not_be():
    features = rows()
    schema = Schema(
        columns=(*(Column(name=f"x{i}", kind="float") for i in range(3)), SCHEMA.columns[4]), target="y"
    )
    plain = Batch(features.numbers, np.empty((1000, 0), dtype=object))

    def sign(batch: Batch) -> Answers:
        return Answers(batch.numbers[:, 0] > 0)

    found = shaken(
        model(sign, task="binary", classes=(False, True), schema=schema),
        plain,
        plain.numbers[:, 0] > 0,
        seed=0,
    )
    assert {s.kind for s in found.shakes} == {"noise"}
    assert found.loss == "zero_one"
    moved = [s.moved for s in found.shakes]
    assert 0 <= moved[0] < moved[1] < moved[2] < 0.1
    assert [s.loss for s in found.shakes] == pytest.approx(moved)


def test_a_model_that_fails_on_a_blank_is_told_of():
    def fragile(batch: Batch) -> Answers:
        if np.isnan(batch.numbers).any():
            raise AuthorError("predict raised ValueError: Input contains NaN")
        return Answers(batch.numbers[:, 0])

    features = rows(100)
    found = shaken(model(fragile), features, features.numbers[:, 0], seed=0)
    assert len(found.shakes) == 3
    assert "Input contains NaN" in found.note
