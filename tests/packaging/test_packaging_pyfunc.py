"""Folders of MLflow whose model is code become packages that answer as MLflow does, without MLflow."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.errors import AuthorError, Unconvertible
from modelyard.packaging import foreign
from modelyard.predictor import open_own
from modelyard.predictor.fitted import Fitted
from modelyard.tables.batch import to_frame

MADE = """
import json, pathlib, sys, warnings
warnings.filterwarnings("ignore")
import mlflow, numpy as np, pandas as pd
out, rows, target = pathlib.Path(sys.argv[1]), pd.read_parquet(sys.argv[2]), sys.argv[3]
weights = out / "weights.json"
weights.write_text('{"limit": 15.5}')

class Rule(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.limit = json.loads(pathlib.Path(context.artifacts["weights"]).read_text())["limit"]
    def predict(self, context, model_input, params=None):
        assert str(model_input["mean_radius"].dtype) == "float32"
        return (model_input["mean_radius"] > self.limit).map({True: "malignant", False: "benign"})

class Odds(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: pd.DataFrame, params=None) -> np.ndarray:
        low = 1 / (1 + np.exp(model_input["mean_radius"].to_numpy(np.float64) - 15.5))
        return np.column_stack([low, 1 - low])

def by_hand(model_input):
    return ["malignant" if radius > 15.5 else "benign" for radius in model_input["mean_radius"]]

code = out / "src" / "rules"
code.mkdir(parents=True)
(code / "__init__.py").write_text(
    "import json, pathlib\\nfrom rules.one import One\\n"
    "def _load_pyfunc(path):\\n    return One(json.loads(pathlib.Path(path).read_text())['limit'])\\n")
(code / "one.py").write_text(
    "class One:\\n    def __init__(self, limit):\\n        self.limit = limit\\n"
    "    def predict(self, rows, params=None):\\n        from rules.names import NAMES\\n"
    "        return rows[['mean_radius']].gt(self.limit).replace(NAMES)\\n")
(code / "names.py").write_text("NAMES = {True: 'malignant', False: 'benign'}\\n")
as_code = out / "as_code.py"
as_code.write_text(
    "import mlflow\\nfrom mlflow.models import set_model\\n"
    "class Rule(mlflow.pyfunc.PythonModel):\\n"
    "    def predict(self, context, model_input):\\n"
    "        return ['malignant' if r > 15.5 else 'benign' for r in model_input['mean_radius']]\\n"
    "set_model(Rule())\\n")
from mlflow.types import ColSpec, Schema
signature = mlflow.models.ModelSignature(Schema([ColSpec("float", "mean_radius"), ColSpec("double", "mean_texture")]))
needed = ["mlflow", "cloudpickle", "pandas", "numpy"]
kinds = {
    "class": dict(python_model=Rule(), artifacts={"weights": str(weights)}),
    "typed": dict(python_model=Odds()),
    "function": dict(python_model=by_hand, input_example=None),
    "as_code": dict(python_model=str(as_code)),
    "module": dict(loader_module="rules", data_path=str(weights), code_paths=[str(code)]),
}
answers = {}
for name, given in kinds.items():
    place = str(out / name)
    mlflow.pyfunc.save_model(place, signature=signature, pip_requirements=needed, **given)
    found = mlflow.pyfunc.load_model(place).predict(rows.astype({"mean_radius": "float32"}))
    answers[name] = np.asarray(found).reshape(len(rows), -1).tolist()
json.dump(answers, open(out / "answers.json", "w"))
"""
KINDS = ("class", "typed", "function", "as_code", "module")
TEXT = """
flavors:
  python_function: {}
signature:
  inputs: '[{{"type": "double", "name": "mean_radius"}}]'
"""


@pytest.fixture(scope="module")
def made(peer: Callable[[str], Path], cancer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that MLflow wrote, and what MLflow answers with each."""
    out = tmp_path_factory.mktemp("pyfunc")
    to_frame(cancer.test, cancer.schema, "pandas")[["mean_radius", "mean_texture"]].to_parquet(
        out / "rows.parquet"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(peer("mlflow")), "-c", MADE, str(out), str(out / "rows.parquet"), "outcome"],
        capture_output=True,
        text=True,
        cwd=out,
        env=environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{out}/mlflow.db"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return out


def of(table: Any, folder: Path, place: Path) -> tuple[Fitted, dict[str, Any]]:
    """The model and what its package is sealed with."""
    found = foreign.read(folder)
    schema = foreign.narrowed(found, table.schema)
    fitted, graph = foreign.fitted(found, schema, task=table.task, classes=table.classes, place=place)
    assert graph is None
    return fitted, {"schema": schema, "code": place / "code"}


def narrow(table: Any, schema: Any, part: str) -> Any:
    """The rows with the columns that the schema has."""
    from modelyard.tables.batch import Batch, layout

    rows = getattr(table, part)
    names = list(layout(table.schema).numbers)
    at = [names.index(name) for name in layout(schema).numbers]
    return Batch(np.ascontiguousarray(rows.numbers[:, at]), rows.texts)


@pytest.mark.peer
@pytest.mark.parametrize("kind", KINDS)
def test_a_package_answers_as_mlflow_does(
    kind: str, made: Path, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    assert "mlflow" not in sys.modules
    fitted, given = of(cancer, made / kind, tmp_path / "place")
    rows = {part: narrow(cancer, given["schema"], part) for part in ("train", "test")}
    folder = sealed(cancer, fitted, **given, **rows)
    predictor = open_own(folder)
    assert predictor.manifest.form == "native"
    wanted = np.array(json.loads((made / "answers.json").read_text())[kind])
    answers = predictor.predict(rows["test"])
    if kind == "typed":
        assert answers.probability is not None
        assert np.abs(answers.probability - wanted).max() < 1e-6
    else:
        assert answers.prediction.tolist() == wanted[:, 0].tolist()
        assert len(set(answers.prediction.tolist())) == 2
    assert "mlflow" not in sys.modules  # what stood in for it is gone
    assert not any(name.partition(".")[0] == "rules" for name in sys.modules)


def by_hand(folder: Path, flavor: str, **files: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text(TEXT.format(flavor))
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("flavor", "sentence"),
    [
        ("{}", "without a 'loader_module'"),
        ("{loader_module: 3}", "without a 'loader_module'"),
        ("{loader_module: 'os;evil'}", "without a 'loader_module'"),
        ("{loader_module: modelyard_pyfunc}", "is a package of Modelyard"),
        ("{loader_module: mlflow.xgboost}", "MLflow, which is not installed here"),
        ("{loader_module: mlflow.pyfunc.model}", "names neither a 'python_model' nor"),
        ("{loader_module: mlflow.pyfunc.model, python_model: gone.pkl}", "which is not there"),
        ("{loader_module: mine, code: ../..}", "as code, which is outside"),
        ("{loader_module: mine, data: /etc/passwd}", "as data, which is outside"),
        ("{loader_module: mine, data: [1]}", "as data, which is not there"),
        ("{loader_module: mine, artifacts: {w: {path: ../x}}}", "as artifacts.w, which is outside"),
        ("{loader_module: mine, artifacts: [w]}", "'artifacts' without a 'path'"),
        ("{loader_module: mine, artifacts: {w: {uri: x}}}", "'artifacts' without a 'path'"),
        ("{loader_module: mine, config: {at: 2026-01-01}}", "a 'config' that is no JSON"),
    ],
)
def test_a_flavor_that_is_none_is_refused_before_anything_runs(
    flavor: str, sentence: str, tmp_path: Path
) -> None:
    folder = by_hand(tmp_path / "given", flavor, code__mine_py="raise SystemExit('it ran')\n")
    with pytest.raises(Unconvertible, match=sentence):
        foreign.read(folder)


def test_links_and_floods_are_refused(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "given", "{loader_module: mine, code: code}", code__mine_py="")
    (folder / "code" / "link").symlink_to("/etc/passwd")
    with pytest.raises(Unconvertible, match="link is a link or a device"):
        foreign.read(folder)
    (folder / "code" / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(Unconvertible, match="pipe is a link or a device"):
        foreign.read(folder)
    (folder / "pipe").unlink()
    foreign.read(folder)
    with (folder / "large").open("wb") as file:
        file.truncate((2 << 30) + 1)
    with pytest.raises(Unconvertible, match="more than the 2,147,483,648 bytes"):
        foreign.read(folder)


ONE = "class M:\n    def predict(self, rows):\n        return {}\ndef _load_pyfunc(path):\n    return M()\n"


@pytest.mark.parametrize(
    ("files", "error", "sentence"),
    [
        ({"code__other_py": ""}, AuthorError, "No module named 'mine'"),
        ({"code__mine_py": "x = 1\n"}, AuthorError, "_load_pyfunc"),
        ({"code__mine_py": "raise SystemExit(3)\n"}, AuthorError, "SystemExit"),
        ({"code__mine_py": ONE.format("1"), "code__model_py": ""}, Unconvertible, "model.py or requirements"),
        ({"code__mine_py": "", "requirements_txt": "not_a_thing==1\n"}, AuthorError, "needs not_a_thing"),
        (
            {"code__mine_py": "", "requirements_txt": "-r other.txt\n"},
            Unconvertible,
            "names no distribution",
        ),
    ],
)
def test_code_that_cannot_be_loaded(
    files: dict[str, str], error: type[Exception], sentence: str, cancer: Any, tmp_path: Path
) -> None:
    folder = by_hand(tmp_path / "given", "{loader_module: mine, code: code}", **files)
    with pytest.raises(error, match=sentence):
        of(cancer, folder, tmp_path / "place")
    assert "mlflow" not in sys.modules


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("['cat'] * len(rows)", "'cat', which is none of the classes"),
        ("['benign']", r"shape \[1\] where labels"),
        ("1 / 0", "ZeroDivisionError"),
        ("None", "shape"),
    ],
)
def test_answers_that_are_none_are_never_sealed(
    given: str, sentence: str, cancer: Any, sealed: Callable[..., Path], tmp_path: Path
) -> None:
    folder = by_hand(tmp_path / "given", "{loader_module: mine, code: code}", code__mine_py=ONE.format(given))
    fitted, options = of(cancer, folder, tmp_path / "place")
    rows = {part: narrow(cancer, options["schema"], part) for part in ("train", "test")}
    with pytest.raises(AuthorError, match=sentence):
        sealed(cancer, fitted, **options, **rows)


def test_its_requirements_are_the_versions_that_answer_here(cancer: Any, tmp_path: Path) -> None:
    folder = by_hand(
        tmp_path / "given",
        "{loader_module: mine, code: code}",
        code__mine_py=ONE.format("1"),
        requirements_txt="mlflow==3.17.2\n# why\nscipy==0.0.1\nnumpy\ncolorama; sys_platform == 'win32'\n",
    )
    of(cancer, folder, tmp_path / "place")
    pins = (tmp_path / "place/code/requirements.model").read_text().split()
    assert pins == [f"{name}=={importlib.metadata.version(name)}" for name in ("numpy", "pandas", "scipy")]
