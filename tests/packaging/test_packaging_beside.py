"""The trained model beside the compiled one: opened again it answers as it did, and no package fails for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.errors import UnknownName, Untrusted
from modelyard.predictor import digest, open_package
from modelyard.predictor.native import answer
from modelyard.records.package import Beside
from modelyard.records.trust import Trust

Sealed = Callable[..., Path]
SAVES = """
import joblib


def train(data, params):
    raise NotImplementedError


def save(model, folder):
    joblib.dump(model, folder / "m.joblib")


def load(folder):
    return joblib.load(folder / "m.joblib")
"""


def beside(folder: Path) -> Beside:
    return msgspec.json.decode((folder / "native.json").read_bytes(), type=Beside)


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_both_forms_are_there_and_each_answers_as_the_trained_model(
    name: str, request: pytest.FixtureRequest, sealed: Sealed
) -> None:
    table = request.getfixturevalue(name)
    kind = RandomForestRegressor if table.task == "regression" else RandomForestClassifier
    fitted = table.fit(kind(15, random_state=0))
    one, two = (sealed(table, fitted, beside=True) for _ in range(2))
    assert digest(one) == digest(two)
    found = beside(one)
    assert found.reason == ""
    assert found.probe is not None
    assert (found.probe.rows, found.probe.flips, found.probe.worst) == (len(table.test), 0, 0.0)
    compiled, native = open_package(one), open_package(one, form="native")
    assert compiled.manifest.form == "onnx"
    assert open_package(one, form="onnx").manifest.form == "onnx"
    wanted = answer(fitted, table.test, table.schema)
    exact = native.predict(table.test)
    assert exact.prediction.tolist() == wanted.prediction.tolist()
    ours = compiled.predict(table.test)
    if wanted.probability is None:
        assert np.allclose(ours.prediction, wanted.prediction, rtol=1e-5)
    else:
        assert np.array_equal(exact.probability, wanted.probability)
        assert np.allclose(ours.probability, wanted.probability, atol=1e-5)
    bare = sealed(table, fitted)
    assert digest(bare) != digest(one)
    assert not (bare / "native.json").exists()
    with pytest.raises(UnknownName, match="has no native form, only onnx"):
        open_package(bare, form="native")


def test_a_native_package_has_nothing_beside_it(cancer: Any, sealed: Sealed) -> None:
    folder = sealed(cancer, cancer.fit(LogisticRegression(max_iter=5000)), form="native", beside=True)
    assert not (folder / "native.json").exists()
    assert open_package(folder, form="native").manifest.form == "native"
    with pytest.raises(UnknownName, match="has no onnx form"):
        open_package(folder, form="onnx")


def test_a_search_leaves_its_best_model(cancer: Any, sealed: Sealed) -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}
    )
    folder = sealed(cancer, cancer.fit(search), beside=True)
    assert b"mean_fit_time" not in (folder / "model" / "model.skops").read_bytes()
    assert beside(folder).probe is not None


def test_what_the_authors_save_writes_needs_a_signature(cancer: Any, sealed: Sealed) -> None:
    hooks = {
        "save": lambda model, folder: joblib.dump(model, folder / "m.joblib"),
        "load": lambda folder: joblib.load(folder / "m.joblib"),
    }
    folder = sealed(cancer, cancer.fit(LogisticRegression(max_iter=5000), **hooks), source=SAVES, beside=True)
    assert beside(folder).reason == ""
    assert (folder / "model" / "native" / "m.joblib").is_file()
    assert open_package(folder).predict(cancer.test).prediction.shape == (len(cancer.test),)
    with pytest.raises(Untrusted):
        open_package(folder, form="native", trust=Trust())


@pytest.mark.parametrize("fault", ["raises", "nothing", "another"])
def test_a_save_that_fails_leaves_the_compiled_form_alone(fault: str, cancer: Any, sealed: Sealed) -> None:
    other = LogisticRegression(C=1e-6).fit(np.eye(30)[:20], [0, 1] * 10)

    def save(_: Any, folder: Path) -> None:
        if fault == "raises":
            (folder / "half").write_text("half")
            raise OSError("no room")
        if fault == "another":
            joblib.dump(other, folder / "m.joblib")

    hooks = {"save": save, "load": lambda folder: joblib.load(folder / "m.joblib")}
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression()), **hooks)
    folder = sealed(cancer, fitted, source=SAVES, beside=True)
    found = beside(folder)
    assert found.probe is None
    told = {"raises": "no room", "nothing": "wrote no file", "another": ""}[fault]
    assert told in found.reason
    assert found.reason
    assert sorted(path.name for path in (folder / "model").iterdir()) == ["model.onnx"]
    assert "model/native" not in json.dumps(json.loads((folder / "manifest.json").read_text())["files"])
    assert open_package(folder).manifest.form == "onnx"
