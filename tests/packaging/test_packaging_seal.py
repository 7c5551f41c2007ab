from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.predictor import answer, digest, open_package
from modelyard.records.package import Proof
from modelyard.tables.batch import Batch

Sealed = Callable[..., Path]


def proof(folder: Path) -> Proof:
    return msgspec.json.decode((folder / "proof.json").read_bytes(), type=Proof)


def by_name(final: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(
        ColumnTransformer(
            [("numbers", numbers, ["age", "income", "visits"]), ("texts", texts, ["sex", "town"])],
            remainder="passthrough",
        ),
        final,
    )


@pytest.mark.parametrize(
    "final",
    [
        LogisticRegression(max_iter=1000),
        RandomForestClassifier(n_estimators=30, random_state=0),
        GradientBoostingClassifier(n_estimators=30, random_state=0),
    ],
    ids=lambda final: type(final).__name__,
)
@pytest.mark.parametrize("name", ["cancer", "wine"])
def test_a_pipeline_serves_compiled_with_every_probe(
    name: str, final: Any, sealed: Sealed, request: pytest.FixtureRequest
) -> None:
    table = request.getfixturevalue(name)
    fitted = table.fit(make_pipeline(StandardScaler(), final))
    folder = sealed(table, fitted)
    predictor = open_package(folder)
    assert predictor.manifest.form == "onnx"
    theirs, ours = answer(fitted, table.test, table.schema), predictor.predict(table.test)
    assert ours.probability is not None
    assert theirs.probability is not None
    assert np.abs(ours.probability - theirs.probability).max() < 1e-5
    assert ours.prediction.tolist() == theirs.prediction.tolist()
    found = proof(folder)
    assert found.proven
    assert found.reason == ""
    rows = {probe.name: probe.rows for probe in found.probes}
    assert rows["test split"] == len(table.test)
    assert rows["column-permuted rows"] == 2 * len(table.test)
    assert rows["large values"] > 0
    assert (rows["thresholds"] > 0) == (not isinstance(final, LogisticRegression))


@pytest.mark.parametrize(
    "final",
    [Ridge(), RandomForestRegressor(30, random_state=0), GradientBoostingRegressor(random_state=0)],
    ids=lambda final: type(final).__name__,
)
def test_a_regression_serves_compiled(final: Any, diabetes: Any, sealed: Sealed) -> None:
    fitted = diabetes.fit(make_pipeline(StandardScaler(), final))
    predictor = open_package(sealed(diabetes, fitted))
    answers = predictor.predict(diabetes.test)
    assert predictor.manifest.form == "onnx"
    assert answers.probability is None
    assert answers.prediction.shape == (len(diabetes.test),)
    assert np.allclose(answers.prediction, answer(fitted, diabetes.test, diabetes.schema).prediction, rtol=1e-5)


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize(
    "final",
    [LogisticRegression(max_iter=1000), RandomForestClassifier(20, random_state=0)],
    ids=lambda final: type(final).__name__,
)
def test_columns_by_name_with_texts_and_nulls_serve_compiled(
    final: Any, frame: Any, mixed: Any, sealed: Sealed
) -> None:
    fitted = mixed.fit(by_name(final), frame=frame)
    folder = sealed(mixed, fitted)
    assert proof(folder).reason == ""
    predictor = open_package(folder)
    assert predictor.manifest.form == "onnx"
    assert predictor.manifest.frame == frame
    odd = Batch(mixed.test.numbers[:3].copy(), np.array([[None, "f"], ["Ulm", "m"], ["None", ""]], dtype=object))
    ours, theirs = predictor.predict(odd), answer(fitted, odd, mixed.schema)
    assert np.allclose(ours.probability, theirs.probability, atol=1e-6)
    assert ours.prediction.dtype == np.bool_


def test_a_model_fitted_on_an_array_serves_compiled(cancer: Any, sealed: Sealed) -> None:
    fitted = cancer.fit(LogisticRegression(max_iter=10_000), frame="numpy")
    assert open_package(sealed(cancer, fitted)).manifest.form == "onnx"
