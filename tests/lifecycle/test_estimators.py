"""A project of many estimators, as data scientists write them: each is trained, and its package answers like it did
in training. ``docs/estimators.md`` says how each serves, and is held to it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

Command = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"
SETTINGS = """
[project]
name = "many"
[data.cells]
source = "data/cells.csv"
target = "diagnosis"
split = { test = 0.25, stratify = true }
[data.visits]
source = "data/visits.csv"
target = "progression"
split = { test = 0.25 }
[environments.test]
port = %d
workers = 1
"""
CODE = """
import json, warnings
from pathlib import Path
{imports}
NUMBERS = ["age", "bmi", "bp", "s5"]

def make(data):
    x, y, seed = data.features, data.target, data.seed
{body}

def train(data, params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make(data)
        rows = data.features.head(12)
        answers = {ask}(rows)
    record = {{"rows": rows.to_dict("records"), "answers": answers.tolist()}}
    Path({record!r}).write_text(json.dumps(record))
    return model
"""


@dataclass(frozen=True)
class Case:
    """One model: the dataset it is trained on, and the statements of its ``model.py``."""

    imports: str
    body: str
    data: str = "cells"
    ask: str = ""
    """What gives its answers; by default its ``predict_proba`` (cells) or ``predict`` (visits)."""
    rest: str = ""
    """Further functions of ``model.py``."""
    files: tuple[tuple[str, str], ...] = ()
    """Files beside it."""
    needs: tuple[str, ...] = ()


def fitted(expression: str) -> str:
    return f"return {expression}.fit(x, y)"


SCALED = "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
COLUMNS = SCALED + "from sklearn.compose import make_column_transformer\n"
CASES = {
    "LogisticRegression": Case(
        SCALED + "from sklearn.linear_model import LogisticRegression",
        fitted("make_pipeline(StandardScaler(), LogisticRegression())"),
    ),
    "LogisticRegression with sample weights": Case(
        SCALED + "from sklearn.linear_model import LogisticRegression",
        "model = make_pipeline(StandardScaler(), LogisticRegression())\n"
        "return model.fit(x, y, logisticregression__sample_weight=1 + (y == 'malignant'))",
    ),
    "GridSearchCV": Case(
        SCALED + "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV",
        fitted(
            "GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), "
            "{'logisticregression__C': [0.1, 1]}, cv=2)"
        ),
    ),
    "RandomForestClassifier": Case(
        "from sklearn.ensemble import RandomForestClassifier",
        fitted("RandomForestClassifier(10, random_state=seed)"),
    ),
    "GradientBoostingClassifier": Case(
        "from sklearn.ensemble import GradientBoostingClassifier",
        fitted("GradientBoostingClassifier(n_estimators=10, random_state=seed)"),
    ),
    "HistGradientBoostingClassifier": Case(
        "from sklearn.ensemble import HistGradientBoostingClassifier",
        fitted("HistGradientBoostingClassifier(max_iter=10, random_state=seed)"),
    ),
    "xgboost.Booster": Case(
        "import numpy as np, xgboost",
        "return xgboost.train({'objective': 'binary:logistic'}, "
        "xgboost.DMatrix(x, np.unique(y, return_inverse=True)[1]), 10)",
        ask="(lambda rows: (lambda p: np.column_stack([1 - p, p]))(model.inplace_predict(rows)))",
        needs=("xgboost-cpu" if sys.platform == "linux" else "xgboost",),
    ),
    "LGBMClassifier": Case(
        "import lightgbm",
        fitted("lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, random_state=seed)"),
        needs=("lightgbm",),
    ),
    "KNeighborsClassifier": Case(
        SCALED + "from sklearn.neighbors import KNeighborsClassifier",
        fitted("make_pipeline(StandardScaler(), KNeighborsClassifier(7))"),
    ),
    "SVC with CalibratedClassifierCV": Case(
        SCALED + "from sklearn.svm import SVC\nfrom sklearn.calibration import CalibratedClassifierCV",
        fitted("make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), cv=2))"),
    ),
    "LinearSVC": Case(
        SCALED + "from sklearn.svm import LinearSVC",
        fitted("make_pipeline(StandardScaler(), LinearSVC(random_state=seed))"),
        ask="model.predict",
    ),
    "GaussianNB": Case("from sklearn.naive_bayes import GaussianNB", fitted("GaussianNB()")),
    "GaussianProcessClassifier": Case(
        SCALED + "from sklearn.gaussian_process import GaussianProcessClassifier",
        fitted("make_pipeline(StandardScaler(), GaussianProcessClassifier(random_state=seed))"),
    ),
    "MLPClassifier": Case(
        SCALED + "from sklearn.neural_network import MLPClassifier",
        fitted("make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=100, random_state=seed))"),
    ),
    "LinearDiscriminantAnalysis": Case(
        "from sklearn.discriminant_analysis import LinearDiscriminantAnalysis",
        fitted("LinearDiscriminantAnalysis()"),
    ),
    "VotingClassifier": Case(
        SCALED + "from sklearn.ensemble import RandomForestClassifier, VotingClassifier\n"
        "from sklearn.linear_model import LogisticRegression",
        fitted(
            "VotingClassifier([('a', make_pipeline(StandardScaler(), LogisticRegression())), "
            "('b', RandomForestClassifier(5, random_state=seed))], voting='soft')"
        ),
    ),
    "StackingClassifier": Case(
        SCALED + "from sklearn.ensemble import RandomForestClassifier, StackingClassifier\n"
        "from sklearn.linear_model import LogisticRegression",
        fitted(
            "StackingClassifier([('a', make_pipeline(StandardScaler(), LogisticRegression())), "
            "('b', RandomForestClassifier(5, random_state=seed))], LogisticRegression(), cv=2)"
        ),
    ),
    "IsolationForest": Case(
        "import numpy as np\nfrom sklearn.ensemble import IsolationForest",
        "return IsolationForest(n_estimators=20, random_state=seed).fit(x[y == 'benign'])",
        ask="(lambda rows: predict(model, rows))",
        rest="def predict(model, rows):\n"
        "    return np.where(model.predict(rows) == 1, 'benign', 'malignant')\n",
    ),
    "Ridge": Case(
        COLUMNS + "from sklearn.linear_model import Ridge\nfrom sklearn.preprocessing import OneHotEncoder",
        fitted(
            "make_pipeline(make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ['ward'])), Ridge())"
        ),
        "visits",
    ),
    "XGBRegressor": Case(
        COLUMNS + "import xgboost",
        fitted(
            "make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), xgboost.XGBRegressor(n_estimators=10))"
        ),
        "visits",
        needs=("xgboost-cpu" if sys.platform == "linux" else "xgboost",),
    ),
    "SVR": Case(
        COLUMNS + "from sklearn.svm import SVR",
        fitted("make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), SVR(C=100))"),
        "visits",
    ),
    "TransformedTargetRegressor": Case(
        COLUMNS + "import numpy as np\nfrom sklearn.compose import TransformedTargetRegressor\n"
        "from sklearn.linear_model import Ridge",
        fitted(
            "make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), "
            "TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1))"
        ),
        "visits",
    ),
    "TargetEncoder": Case(
        COLUMNS + "from sklearn.preprocessing import TargetEncoder\nfrom sklearn.linear_model import Ridge",
        fitted(
            "make_pipeline(make_column_transformer((TargetEncoder(target_type='continuous', random_state=seed), ['ward']), "
            "(StandardScaler(), NUMBERS)), Ridge())"
        ),
        "visits",
    ),
    "TfidfVectorizer": Case(
        COLUMNS + "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn.linear_model import Ridge",
        fitted(
            "make_pipeline(make_column_transformer((TfidfVectorizer(), 'note'), (StandardScaler(), NUMBERS)), Ridge())"
        ),
        "visits",
    ),
    "a transformer of your own": Case(
        "from sklearn.linear_model import Ridge\nfrom sklearn.pipeline import make_pipeline\nfrom ratios import Ratios",
        fitted("make_pipeline(Ratios('bmi', 'age'), Ridge())"),
        "visits",
        files=(
            (
                "ratios.py",
                "from sklearn.base import BaseEstimator, TransformerMixin\n\n\n"
                "class Ratios(TransformerMixin, BaseEstimator):\n"
                "    def __init__(self, over, under):\n        self.over, self.under = over, under\n\n"
                "    def fit(self, x, y=None):\n        self.mean_ = x[self.over].mean()\n        return self\n\n"
                "    def transform(self, x):\n"
                "        made = x[[self.over, self.under]].copy()\n"
                "        made['ratio'] = (x[self.over] - self.mean_) / (1 + x[self.under])\n        return made\n",
            ),
        ),
    ),
    "a rule": Case(
        "",
        "return {'limit': float(x['bmi'].mean()), 'low': float(y[x['bmi'] < x['bmi'].mean()].mean()), "
        "'high': float(y.mean())}",
        "visits",
        ask="(lambda rows: predict(model, rows))",
        rest="def predict(model, rows):\n"
        "    return (rows['bmi'] > model['limit']).map({True: model['high'], False: model['low']}).to_numpy()\n",
    ),
    "an object of your own": Case(
        "import numpy as np",
        "return Results(np.linalg.lstsq(np.c_[np.ones(len(x)), x[NUMBERS]], y, rcond=None)[0])",
        "visits",
        rest="class Results:\n"
        "    def __init__(self, params):\n        self.params = params\n\n"
        "    def predict(self, rows):\n"
        "        return np.c_[np.ones(len(rows)), rows[NUMBERS]] @ self.params\n\n\n"
        "def save(model, folder):\n    np.save(folder / 'params.npy', model.params)\n\n\n"
        "def load(folder):\n    return Results(np.load(folder / 'params.npy'))\n",
    ),
}


def slug(name: str) -> str:
    return re.sub(r"\W+", "_", name).lower()


def page() -> dict[str, tuple[str, str]]:
    """From the page: the model to how it serves and why."""
    rows = re.findall(r"^\| (.+?) \| (compiled|native) \| (.*?) ?\|$", PAGE.read_text(), re.MULTILINE)
    return {name.replace("`", ""): (form, why) for name, form, why in rows}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, plain_reports: str) -> Path:
    """The project, ingested."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "data").mkdir()
    cells = load_breast_cancer(as_frame=True).frame.iloc[:240, [0, 1, 4, 20, 30]].round(4)
    cells.columns = ["radius", "texture", "smoothness", "worst", "diagnosis"]
    cells["diagnosis"] = cells["diagnosis"].map({0: "malignant", 1: "benign"})
    cells.to_csv(folder / "data" / "cells.csv", index=False)
    visits = pl.from_pandas(load_diabetes(as_frame=True, scaled=False).frame[:240]).rename(
        {"target": "progression"}
    )
    draw = np.random.default_rng(5)
    words = np.array(["calm", "tired", "thirsty", "blurred", "weak", "fine", "hungry"])
    visits.select("age", "bmi", "bp", "s5", "progression").with_columns(
        pl.Series("ward", draw.choice(["north", "south", "Übersee"], 240)),
        pl.Series("note", [" ".join(draw.choice(words, 4)) for _ in range(240)]),
    ).write_csv(folder / "data" / "visits.csv")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings = SETTINGS % probe.getsockname()[1]
    for name, case in CASES.items():
        place = folder / "models" / slug(name)
        place.mkdir(parents=True)
        ask = case.ask or ("model.predict_proba" if case.data == "cells" else "model.predict")
        body = "".join(f"    {line}\n" for line in case.body.splitlines())
        record = str(folder / f"{slug(name)}.json")
        code = CODE.format(imports=case.imports, body=body, ask=ask, record=record)
        (place / "model.py").write_text(f"{code}\n\n{case.rest}")
        for path, content in case.files:
            (place / path).write_text(content)
        needs = ("scikit-learn", "pandas", *case.needs)
        (place / "requirements.model").write_text("".join(f"{n}=={version(n)}\n" for n in needs))
        (place / "test_model.py").write_text(
            "import model\n\n\ndef test_it_trains():\n    assert callable(model.train)\n"
        )
        settings += f'[models.{slug(name)}]\ncode = "models/{slug(name)}"\ndata = "{case.data}"\n'
        settings += plain_reports
    (folder / "modelyard.toml").write_text(settings)
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "-C", str(folder), "ingest"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_package_answers_as_the_model_did_in_training(
    name: str, many: Path, modelyard: Command, tmp_path: Path
) -> None:
    code, _, complaint = modelyard("-C", many, "train", slug(name))
    assert code == 0, complaint
    record = json.loads((many / f"{slug(name)}.json").read_text())
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in record["rows"]))
    code, output, complaint = modelyard("-C", many, "predict", f"{slug(name)}@run", rows, "--json")
    assert code == 0, complaint
    given = json.loads(output)
    alike(given, record["answers"])
    form, why = page()[name]
    package = many / ".modelyard" / "packages" / given["package"]
    manifest = json.loads((package / "manifest.json").read_text())
    assert manifest["form"] == {"compiled": "onnx", "native": "native"}[form]
    reason = json.loads((package / "proof.json").read_text())["reason"]
    assert why in reason
    assert bool(reason) == (form == "native")


def test_the_page_names_each() -> None:
    assert set(page()) == set(CASES)


SERVED = ("LGBMClassifier", "a transformer of your own", "an object of your own", "LinearSVC")


def test_a_service_answers_for_several_kinds(many: Path, modelyard: Command) -> None:
    code, _, complaint = modelyard("-C", many, "build", *map(slug, SERVED))
    assert code == 0, complaint
    try:
        code, _, complaint = modelyard("-C", many, "deploy", "test", *map(slug, SERVED))
        assert code == 0, complaint
        port = int(re.findall(r"port = (\d+)", (many / "modelyard.toml").read_text())[0])
        for name in SERVED:
            record = json.loads((many / f"{slug(name)}.json").read_text())
            status, given = ask(port, "POST", f"/models/{slug(name)}/predict", {"rows": record["rows"]})
            assert status == 200, given
            alike(given, record["answers"])
    finally:
        modelyard("-C", many, "stop")


def alike(given: Any, theirs: list[Any]) -> None:
    if isinstance(theirs[0], str):
        assert given["prediction"] == theirs
        return
    ours = given["probability"] if isinstance(theirs[0], list) else given["prediction"]
    size = max(np.abs(np.array(theirs)).max(), 1)
    assert np.abs(np.array(ours) - np.array(theirs)).max() <= 1e-5 * size


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
