"""Logged rows, counted as the reference was."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from modelyard.monitoring import count_features, count_predictions, of_version
from modelyard.records.package import Label, Manifest, Task
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import layout
from modelyard.tables.gather import gather
from modelyard.tables.profile import anchor, anchor_answers

SCHEMA = Schema(
    columns=(
        Column(name="version", kind="float"),
        Column(name="sex", kind="string", nullable=True),
        Column(name="target", kind="string"),
    ),
    target="target",
)
FEATURES = pl.DataFrame({"version": [0.5, 1.5, 2.5], "sex": ["f", None, "m"]})


def manifest(task: Task, classes: tuple[Label, ...]) -> Manifest:
    return Manifest(
        model="m",
        task=task,
        classes=classes,
        form="onnx",
        frame="pandas",
        schema=SCHEMA,
        layout=layout(SCHEMA),
        requirements=(),
        python="3.11",
        files=(),
    )


def rows(prediction: list[Label] | list[float], probability: list[list[float] | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "version": [1, 2, 2],
            "prediction": prediction,
            "probability": pl.Series(probability, dtype=pl.List(pl.Float64)),
            "features": FEATURES.to_struct(),
        }
    )


LOGGED = rows(["no", "yes", "yes"], [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])


def test_rows_of_one_version() -> None:
    assert of_version(LOGGED, 2)["prediction"].to_list() == ["yes", "yes"]
    assert of_version(LOGGED, 9).is_empty()


def test_features_are_counted_on_the_reference() -> None:
    reference = anchor(gather(FEATURES, SCHEMA), SCHEMA)
    assert count_features(LOGGED, SCHEMA, reference) == reference
    two = count_features(of_version(LOGGED, 2), SCHEMA, reference)
    assert (two.rows, two.column("sex").nulls, two.column("version").minimum) == (2, 1, 1.5)


@pytest.mark.parametrize("empty", [LOGGED.head(0), pl.DataFrame(schema={"version": pl.Int64})])
def test_no_rows_are_counted_as_none(empty: pl.DataFrame) -> None:
    reference = anchor(gather(FEATURES, SCHEMA), SCHEMA)
    counted = count_features(empty, SCHEMA, reference)
    assert (counted.rows, counted.column("version").counts) == (0, (0, 0, 0, 0, 0))
    answers = anchor_answers(np.array(["no", "yes"], object), np.eye(2), task="binary", classes=("no", "yes"))
    assert count_predictions(empty, manifest("binary", ("no", "yes")), answers).rows == 0


def test_answers_of_two_classes_are_counted() -> None:
    probability = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    prediction = np.array(["no", "yes", "yes"], dtype=object)
    answers = anchor_answers(prediction, probability, task="binary", classes=("no", "yes"))
    assert count_predictions(LOGGED, manifest("binary", ("no", "yes")), answers) == answers


@pytest.mark.parametrize("classes", [(False, True), (0, 1)])
def test_labels_that_are_no_texts(classes: tuple[Label, Label]) -> None:
    no, yes = classes
    logged = rows([no, yes, yes], [None] * 3)
    answers = anchor_answers(np.array([no, yes, yes]), None, task="binary", classes=classes)
    assert count_predictions(logged, manifest("binary", classes), answers) == answers


def test_numbers_are_counted() -> None:
    logged = rows([1.0, 2.0, 2.0], [None] * 3)
    answers = anchor_answers(np.array([1.0, 2.0, 2.0]), None, task="regression")
    assert count_predictions(logged, manifest("regression", ()), answers) == answers
