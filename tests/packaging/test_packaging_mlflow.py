"""A package in an environment with MLflow and without Modelyard, as somebody else would load it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.packaging.golden import to_rows
from modelyard.predictor import open_own, open_package, verify

pytestmark = pytest.mark.peer

ASK = """
import importlib.util, json, sys, warnings
import mlflow, pandas as pd
assert importlib.util.find_spec("modelyard") is None
folder, rows, out = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
frame = pd.DataFrame(json.load(open(rows)))
answers = model.predict(frame)
json.dump({"answers": answers.tolist(), "dtype": str(answers.dtype),
           "inputs": model.metadata.get_input_schema().input_names()}, open(out, "w"))
"""


@pytest.fixture(scope="session")
def mlflow_python(peer: Callable[[str], Path]) -> Path:
    return peer("mlflow")


def loaded_elsewhere(python: Path, folder: Path, rows: list[dict[str, Any]], scratch: Path) -> dict[str, Any]:
    (scratch / "rows.json").write_text(json.dumps(rows))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), "-c", ASK, str(folder), str(scratch / "rows.json"), str(scratch / "out.json")],
        capture_output=True,
        text=True,
        input="",
        cwd=scratch,
        env={**environment, "MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db"},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((scratch / "out.json").read_text())
    return found


def test_a_compiled_package_gives_the_same_probabilities(
    mlflow_python: Path, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)))
    folder = sealed(cancer, fitted)
    found = loaded_elsewhere(mlflow_python, folder, to_rows(cancer.test, cancer.schema), tmp_path)
    predictor = open_package(folder)
    assert predictor.manifest.form == "onnx"
    ours = predictor.predict(cancer.test).probability
    assert ours is not None
    assert found["dtype"] == "float64"
    assert np.abs(np.array(found["answers"]) - ours).max() < 1e-12
    assert found["inputs"] == [c.name for c in cancer.schema.features]
    verify(folder)  # loading wrote nothing into the package that its manifest does not know


def test_texts_and_nulls_by_name(
    mlflow_python: Path, mixed: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["income", "age", "visits"]),
                ("texts", OneHotEncoder(handle_unknown="ignore"), ["sex", "town"]),
            ]
        ),
        LogisticRegression(),
    )
    folder = sealed(mixed, mixed.fit(model))
    assert open_package(folder).manifest.form == "onnx"
    found = loaded_elsewhere(mlflow_python, folder, to_rows(mixed.test, mixed.schema), tmp_path)
    ours = open_package(folder).predict(mixed.test).probability
    assert ours is not None
    assert np.abs(np.array(found["answers"]) - ours).max() < 1e-12


def test_a_native_package_and_a_regression(
    mlflow_python: Path, cancer: Any, diabetes: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    fitted = cancer.fit(HistGradientBoostingClassifier(max_iter=10, random_state=0))
    folder = sealed(cancer, fitted, form="native")
    ours = open_package(folder).predict(cancer.test).probability
    assert ours is not None
    found = loaded_elsewhere(mlflow_python, folder, to_rows(cancer.test, cancer.schema), tmp_path)
    assert np.array_equal(np.array(found["answers"]), ours)

    forest = diabetes.fit(RandomForestRegressor(20, random_state=0))
    folder = sealed(diabetes, forest)
    found = loaded_elsewhere(mlflow_python, folder, to_rows(diabetes.test, diabetes.schema), tmp_path)
    assert np.allclose(found["answers"], open_package(folder).predict(diabetes.test).prediction, rtol=1e-6)


SAVED = """
import json
import modelyard as my
import numpy as np

SPACE = {"C": my.log_uniform(1e-3, 1e2, default=1.0)}

def save(model, folder):
    (folder / "limit.json").write_text(json.dumps(model))

def load(folder):
    return json.loads((folder / "limit.json").read_text())

def predict(model, rows):
    high = (rows["mean_radius"] > model).to_numpy(dtype=float)
    return np.column_stack([high, 1 - high])
"""


def test_an_authors_own_save_load_and_predict(
    mlflow_python: Path, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    from modelyard.predictor import Fitted

    hooks: dict[str, Any] = {"__name__": "model"}
    exec(SAVED, hooks)
    fitted = Fitted(15.0, "binary", cancer.classes, "pandas", hooks["predict"], hooks["save"], hooks["load"])
    folder = sealed(cancer, fitted, source=SAVED)
    ours = open_own(folder).predict(cancer.test).probability
    found = loaded_elsewhere(mlflow_python, folder, to_rows(cancer.test, cancer.schema), tmp_path)
    assert np.array_equal(np.array(found["answers"]), ours)


def test_the_standalone_loader_agrees_here_too(mixed: Any, sealed: Callable[..., Path]) -> None:
    """The same file, imported without MLflow: typed rows of every kind give the answers of the predictor."""
    import importlib.util

    model = make_pipeline(
        ColumnTransformer(
            [("numbers", SimpleImputer(), ["income", "age"]), ("texts", OneHotEncoder(), ["sex"])]
        ),
        LogisticRegression(max_iter=5000),
    )
    for form in ("auto", "native"):
        folder = sealed(mixed, mixed.fit(model), form=form)
        spec = importlib.util.spec_from_file_location("packaged", folder / "code" / "modelyard_pyfunc.py")
        assert spec is not None
        assert spec.loader is not None
        loader = importlib.util.module_from_spec(spec)
        sys.modules["packaged"] = loader
        spec.loader.exec_module(loader)
        frame = pd.DataFrame(to_rows(mixed.test, mixed.schema))
        found = loader._load_pyfunc(str(folder)).predict(frame)
        ours = open_package(folder).predict(mixed.test).probability
        assert np.abs(found - ours).max() < 1e-12
        (folder / "code" / "model.py").write_text("changed")
        with pytest.raises(ValueError, match=r"code/model\.py was changed"):
            loader._load_pyfunc(str(folder))
