"""Models of others become packages that answer as the model did."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.errors import SourceMissing, Tampered, Unconvertible, Untrusted
from modelyard.packaging import foreign
from modelyard.predictor import open_own, open_package
from modelyard.tables.batch import to_frame


def of(table: Any, path: Path) -> tuple[Any, bytes | None]:
    found = foreign.read(path)
    schema = foreign.narrowed(found, table.schema)
    return foreign.fitted(found, schema, task=table.task, classes=table.classes)


@pytest.fixture(scope="module")
def trained(cancer: Any) -> Any:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(cancer.train.numbers, cancer.target)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_graph_of_one_matrix(
    zipmap: bool, kind: Any, trained: Any, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    made = to_onnx(trained, cancer.train.numbers[:1].astype(kind), options={"zipmap": zipmap})
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    fitted, graph = of(cancer, tmp_path / "model.onnx")
    folder = sealed(cancer, fitted, graph=graph)
    predictor = open_package(folder)
    assert predictor.manifest.form == "onnx"
    wanted = trained.predict_proba(cancer.test.numbers)
    assert np.abs(predictor.predict(cancer.test).probability - wanted).max() < 1e-4
    assert "came as ONNX" in json.loads((folder / "proof.json").read_text())["reason"]


def test_a_graph_with_an_input_for_each_feature_in_any_order(cancer: Any, tmp_path: Path) -> None:
    rows = to_frame(cancer.train, cancer.schema, "pandas").iloc[:, [3, 1, 7]]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, cancer.target)
    made = to_onnx(model, rows[:1].astype(np.float32), options={"zipmap": False})
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    found = foreign.read(tmp_path / "model.onnx")
    schema = foreign.narrowed(found, cancer.schema)
    assert [c.name for c in schema.features] == list(rows.columns)
    fitted, graph = foreign.fitted(found, schema, task="binary", classes=cancer.classes)
    assert fitted.model is None
    assert graph is not None
    assert [entry.name for entry in onnx.load_model_from_string(graph).graph.input] == ["numbers"]


def test_a_regression(diabetes: Any, sealed: Callable[..., Path], tmp_path: Path) -> None:
    model = Ridge().fit(diabetes.train.numbers, diabetes.target)
    made = to_onnx(model, diabetes.train.numbers[:1].astype(np.float32))
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    fitted, graph = of(diabetes, tmp_path / "model.onnx")
    given = open_package(sealed(diabetes, fitted, graph=graph)).predict(diabetes.test).prediction
    assert np.allclose(given, model.predict(diabetes.test.numbers), rtol=1e-3)


def written(folder: Path, model: Any, kind: str) -> Path:
    """The model as a file, or as a folder of MLflow."""
    folder.mkdir()
    if kind == "model.joblib":
        joblib.dump(model, folder / kind)
        return folder / kind
    if kind == "model.skops":
        skops.io.dump(model, folder / kind)
        return folder / kind
    joblib.dump(model, folder / "model.pkl")
    (folder / "MLmodel").write_text(
        "flavors:\n  sklearn:\n    pickled_model: model.pkl\n    serialization_format: cloudpickle\n"
        "  python_function:\n    loader_module: mlflow.sklearn\nsignature:\n  inputs: '[]'\n"
    )
    return folder


@pytest.mark.parametrize("kind", ["model.joblib", "model.skops", "mlflow"])
def test_an_estimator_of_named_columns(
    kind: str, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    rows = to_frame(cancer.train, cancer.schema, "pandas")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, cancer.target)
    fitted, graph = of(cancer, written(tmp_path / "given", model, kind))
    assert graph is None
    predictor = open_package(sealed(cancer, fitted))
    assert predictor.manifest.form == "onnx"  # a safe form, whatever it came as
    wanted = model.predict_proba(to_frame(cancer.test, cancer.schema, "pandas"))
    assert np.abs(predictor.predict(cancer.test).probability - wanted).max() < 1e-6


def test_a_pickle_that_no_safe_form_holds_stays_one_and_is_asked_a_signature(
    cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    model = LogisticRegression(max_iter=5000).fit(cancer.train.numbers, cancer.target)
    model.note_ = pd.Timestamp("2026-01-01").to_pydatetime()  # what skops cannot store
    path = written(tmp_path / "given", model, "model.joblib")
    fitted, _ = of(cancer, path)
    folder = sealed(cancer, fitted, form="native", kept=("model/model.joblib", path.read_bytes()))
    assert (folder / "model" / "model.joblib").read_bytes() == path.read_bytes()
    assert not (folder / "MLmodel").exists()
    with pytest.raises(Untrusted, match=r"model/model\.joblib runs code, and the package has no signature"):
        open_package(folder)
    given = open_own(folder).predict(cancer.test).probability
    assert np.array_equal(given, model.predict_proba(cancer.test.numbers))


def test_what_does_not_fit_is_refused(trained: Any, cancer: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(SourceMissing, match="There is no file"):
        foreign.read(path)
    with pytest.raises(SourceMissing, match="it has no MLmodel"):
        foreign.read(tmp_path)
    (tmp_path / "model.h5").write_bytes(b"")
    with pytest.raises(Unconvertible, match="is no model that can be imported"):
        foreign.read(tmp_path / "model.h5")
    for content in (b"", b"garbage", b"\x08\x07"):
        path.write_bytes(content)
        with pytest.raises(Tampered, match="is no ONNX graph"):
            of(cancer, path)
    made = to_onnx(trained[-1], cancer.train.numbers[:1].astype(np.float32), options={"zipmap": False})
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7
    path.write_bytes(made.SerializeToString())
    with pytest.raises(Unconvertible, match="takes 7 columns, and the dataset has 30 features"):
        of(cancer, path)
    made.graph.initializer.add(name="w", data_location=onnx.TensorProto.EXTERNAL)
    path.write_bytes(made.SerializeToString())
    with pytest.raises(Unconvertible, match="keeps the weights 'w' in another file"):
        of(cancer, path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "cannot be read"),
        ("[", "cannot be read"),
        ("flavors: 3", "has the flavors none"),
        ("flavors: {pytorch: {data: x}}", "has the flavors pytorch"),
        ("flavors: {sklearn: {pickled_model: ../../x}}", "outside of the folder"),
        ("!!python/object/apply:os.system ['touch evil']", "cannot be read"),
    ],
)
def test_a_folder_that_is_none(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(Unconvertible, match=sentence):
        foreign.read(tmp_path)
    assert not (tmp_path / "evil").exists()


def test_other_classes_and_other_columns(cancer: Any, tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=5000).fit(cancer.train.numbers, cancer.target == "benign")
    with pytest.raises(
        Unconvertible, match="answers False, True, and the dataset's target has benign, malignant"
    ):
        of(cancer, written(tmp_path / "given", model, "model.joblib"))
    rows = pd.DataFrame({"unheard_of": cancer.train.numbers[:, 0]})
    model = LogisticRegression().fit(rows, cancer.target)
    target = io.BytesIO()
    joblib.dump(model, target)
    (tmp_path / "other.joblib").write_bytes(target.getvalue())
    found = foreign.read(tmp_path / "other.joblib")
    fitted, _ = foreign.fitted(found, cancer.schema, task="binary", classes=cancer.classes)
    with pytest.raises(Unconvertible, match="takes the column 'unheard_of'"):
        foreign.narrowed(found, cancer.schema, fitted.model)
