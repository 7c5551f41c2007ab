from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import LabelSpreading

from modelyard.errors import AuthorError, DataRefused, Unconvertible
from modelyard.predictor import Fitted, answer, digest, open_own, open_package
from modelyard.predictor.author import hooks
from modelyard.records.package import Proof
from modelyard.tables.batch import Batch
from modelyard.tables.decode import Decoder
from modelyard.tables.rules import faults

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
    assert np.allclose(
        answers.prediction, answer(fitted, diabetes.test, diabetes.schema).prediction, rtol=1e-5
    )


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
    odd = Batch(
        mixed.test.numbers[:3].copy(), np.array([[None, "f"], ["Ulm", "m"], ["None", ""]], dtype=object)
    )
    ours, theirs = predictor.predict(odd), answer(fitted, odd, mixed.schema)
    assert np.allclose(ours.probability, theirs.probability, atol=1e-6)
    assert ours.prediction.dtype == np.bool_


def test_a_model_fitted_on_an_array_serves_compiled(cancer: Any, sealed: Sealed) -> None:
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression()), frame="numpy")
    assert open_package(sealed(cancer, fitted)).manifest.form == "onnx"


def test_what_does_not_convert_serves_native_with_the_reason(cancer: Any, sealed: Sealed) -> None:
    fitted = cancer.fit(make_pipeline(StandardScaler(), LabelSpreading(kernel="knn")))
    folder = sealed(cancer, fitted)
    predictor = open_package(folder)
    assert predictor.manifest.form == "native"
    assert "skl2onnx cannot convert it" in proof(folder).reason
    ours, theirs = predictor.predict(cancer.test), answer(fitted, cancer.test, cancer.schema)
    assert np.array_equal(ours.probability, theirs.probability)
    assert (folder / "model" / "model.skops").is_file()
    assert not (folder / "model" / "model.onnx").exists()


def test_onnx_wanted_and_not_proven_is_refused(cancer: Any, sealed: Sealed, tmp_path: Path) -> None:
    fitted = cancer.fit(make_pipeline(StandardScaler(), LabelSpreading(kernel="knn")))
    with pytest.raises(Unconvertible, match="cannot serve as ONNX"):
        sealed(cancer, fitted, form="onnx")
    assert not list(tmp_path.glob("package*"))
    assert not list(tmp_path.glob(".package*"))


def test_a_search_ships_its_best_model(cancer: Any, sealed: Sealed) -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}
    )
    fitted = cancer.fit(search)
    one, two = sealed(cancer, fitted), sealed(cancer, fitted, form="native")
    assert open_package(one).manifest.form == "onnx"
    assert b"mean_fit_time" not in (two / "model" / "model.skops").read_bytes()
    assert np.array_equal(
        open_package(two).predict(cancer.test).probability,
        answer(fitted, cancer.test, cancer.schema).probability,
    )


def test_a_forest_that_takes_nulls_as_they_are_serves_native(mixed: Any, sealed: Sealed) -> None:
    """skl2onnx loses the way that missing values take through a tree; the proof sees it."""
    model = make_pipeline(
        ColumnTransformer([("numbers", "passthrough", ["age", "income", "visits"])]),
        RandomForestClassifier(20, random_state=0),
    )
    folder = sealed(mixed, mixed.fit(model))
    assert open_package(folder).manifest.form == "native"
    assert "nulls" in proof(folder).reason


class Threshold(ClassifierMixin, BaseEstimator):
    def fit(self, x: Any, y: Any) -> Threshold:  # noqa: ARG002
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Any) -> Any:
        high = (x["mean_radius"] > 15).to_numpy(dtype=float)
        return np.column_stack([high, 1 - high])


def test_a_class_of_the_authors_own_is_refused_by_name(cancer: Any, sealed: Sealed) -> None:
    with pytest.raises(Unconvertible, match=r"Threshold, a type that is not safe to load.*write 'save"):
        sealed(cancer, cancer.fit(Threshold()))


SAVE = """
import json
import numpy as np
from beside import LIMIT

def save(model, folder):
    (folder / "limit.json").write_text(json.dumps(model))

def load(folder):
    from beside import LIMIT
    return json.loads((folder / "limit.json").read_text()) + LIMIT

def predict(model, rows):
    import beside
    high = (rows["mean_radius"] > model).to_numpy(dtype=float)
    return np.column_stack([high, 1 - high])
"""


def author_code(folder: Path, limit: float = 0.0) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(SAVE)
    (folder / "beside.py").write_text(f"LIMIT = {limit}\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"stale")
    (folder / ".hidden").write_text("secret")
    return folder


def test_the_authors_save_load_and_predict(cancer: Any, sealed: Sealed, tmp_path: Path) -> None:
    code = author_code(tmp_path / "author")
    own = hooks(code)
    fitted = Fitted(15.0, "binary", cancer.classes, "pandas", own.predict, own.save, own.load)
    folder = sealed(cancer, fitted, code=code)
    predictor = open_own(folder)
    assert predictor.manifest.form == "native"
    assert predictor.manifest.custom_predict
    assert "'predict' in model.py" in proof(folder).reason
    answers = predictor.predict(cancer.test)
    assert np.array_equal(answers.probability, answer(fitted, cancer.test, cancer.schema).probability)
    shipped = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "model/native/limit.json" in shipped
    assert "code/beside.py" in shipped
    assert "code/.hidden" not in shipped
    assert not [path for path in shipped if path.endswith(".pyc")]


def test_a_load_that_does_not_bring_the_model_back_is_refused(
    cancer: Any, sealed: Sealed, tmp_path: Path
) -> None:
    own = hooks(author_code(tmp_path / "author", limit=3.0))
    fitted = Fitted(15.0, "binary", cancer.classes, "pandas", own.predict, own.save, own.load)
    with pytest.raises(Unconvertible, match="does not bring back"):
        sealed(cancer, fitted, code=tmp_path / "author")


def test_no_test_rows_is_refused(cancer: Any, sealed: Sealed) -> None:
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(DataRefused, match="no test rows"):
        sealed(cancer, fitted, test=cancer.test.take(slice(0, 0)))


TWICE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest
import numpy as np
from sklearn.ensemble import RandomForestClassifier, HistGradientBoostingClassifier
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from modelyard.packaging import seal
from modelyard.predictor import digest
junk = [np.random.rand(k) for k in range(int(sys.argv[3]))]  # other addresses, other memory
table = conftest.numeric(load_wine, "multiclass")
for at, (model, form) in enumerate((
    (RandomForestClassifier(10, random_state=0), "onnx"),
    (RandomForestClassifier(10, random_state=0), "native"),
    (HistGradientBoostingClassifier(max_iter=5, random_state=0), "native"),
)):
    folder = Path(sys.argv[2]) / f"package{at}"
    fitted = table.fit(make_pipeline(StandardScaler(), model))
    seal(fitted, folder, model="wine", schema=table.schema, code=Path(sys.argv[4]), requirements=(),
         train=table.train, test=table.test, form=form, python="3.11.0")
    print(digest(folder))
"""


def test_the_same_training_in_two_processes_gives_the_same_digest(tmp_path: Path) -> None:
    code = author_code(tmp_path / "author")
    found = []
    for at in range(2):
        (tmp_path / str(at)).mkdir()
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                TWICE,
                str(Path(__file__).parent),
                str(tmp_path / str(at)),
                str(at * 999),
                str(code),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(at)},
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.split())
    assert len(set(found[0])) == 3
    assert found[0] == found[1]


def test_another_model_is_another_digest(wine: Any, sealed: Sealed) -> None:
    one = sealed(wine, wine.fit(RandomForestClassifier(5, random_state=0)))
    two = sealed(wine, wine.fit(RandomForestClassifier(5, random_state=1)))
    assert digest(one) != digest(two)


def test_the_folder_holds_what_a_package_holds(mixed: Any, sealed: Sealed) -> None:
    folder = sealed(mixed, mixed.fit(by_name(LogisticRegression(max_iter=1000))))
    shipped = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert shipped == {
        "MLmodel", "answers.json", "code/model.py", "code/modelyard_fallback/modelyard/__init__.py",
        "code/modelyard_pyfunc.py", "conda.yaml", "golden.json", "input_example.json", "manifest.json",
        "model/model.onnx", "profile.json", "proof.json", "python_env.yaml", "requirements.txt", "schema.json",
    }  # fmt: skip
    golden = msgspec.json.decode((folder / "golden.json").read_bytes())
    assert len(golden["rows"]) == 20
    assert faults_of(mixed, golden["rows"]) == []
    decoded = Decoder(mixed.schema).records(golden["rows"], max_rows=20)
    again = open_package(folder).predict(decoded.batch)
    assert np.allclose(again.probability, golden["probability"], atol=1e-12)
    assert again.prediction.tolist() == golden["prediction"]


def faults_of(table: Any, rows: Any) -> list[Any]:
    return [fault for row in rows for fault in faults(table.schema, row)]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e300])
def test_the_compiled_model_refuses_what_the_trained_one_refuses(
    value: float, cancer: Any, sealed: Sealed
) -> None:
    """Beyond float32 a tree's Cast is infinite: the graph alone would answer such a row."""
    for final in (GradientBoostingClassifier(n_estimators=5, random_state=0), LogisticRegression()):
        fitted = cancer.fit(make_pipeline(StandardScaler(), final))
        predictor = open_package(sealed(cancer, fitted, form="onnx"))
        row = cancer.test.take([0])
        row.numbers[0, 3] = value
        try:
            theirs = answer(fitted, row, cancer.schema)
        except AuthorError:
            with pytest.raises(AuthorError, match="not finite"):
                predictor.predict(row)
        else:
            assert np.allclose(predictor.predict(row).probability, theirs.probability)


def test_an_unknown_category_is_refused_by_both(mixed: Any, sealed: Sealed) -> None:
    encoder = ColumnTransformer([("sex", OneHotEncoder(), ["sex"])], remainder="drop")
    fitted = mixed.fit(make_pipeline(encoder, LogisticRegression()))
    predictor = open_package(sealed(mixed, fitted, form="onnx"))
    row = mixed.test.take([0])
    row.texts[0, 1] = "x"
    for ask in (predictor.predict, lambda rows: answer(fitted, rows, mixed.schema)):
        with pytest.raises(AuthorError):
            ask(row)
