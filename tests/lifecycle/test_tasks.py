"""One project with a multiclass, a regression and a native model, answered for by one service."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_wine

Command = Callable[..., tuple[int, str, str]]

SETTINGS = """
[project]
name = "clinic"
[data.wines]
source = "data/wines.parquet"
target = "cultivar"
split = {{ test = 0.3, stratify = true }}
[data.visits]
source = ["data/visits-1.csv", "data/visits-2.csv"]
target = "progression"
key = "visit"
[models.cultivar]
code = "models/cultivar"
data = "wines"
gates = {{ accuracy = {{ min = 0.8 }} }}
[models.progression]
code = "models/progression"
data = "visits"
gates = {{ rmse = {{ max = 80 }} }}
[models.boosted]
code = "models/boosted"
data = "visits"
[environments.test]
port = {port}
workers = 2
"""
FOREST = """
from sklearn.ensemble import RandomForestClassifier

def train(data, params):
    return RandomForestClassifier(40, random_state=data.seed).fit(data.features, data.target)
"""
MIXED = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["age", "bmi", "bp", "s5"]

def train(data, params):
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore"), ["ward"]),
    )
    return make_pipeline(columns, Ridge()).fit(data.features, data.target)
"""
BOOSTED = """
from sklearn.ensemble import HistGradientBoostingRegressor

def train(data, params):
    model = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    return model.fit(data.features.drop(columns="ward"), data.target)

def predict(model, rows):
    return model.predict(rows.drop(columns="ward"))
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its first build; each test that shares it can be the first or the only one."""
    folder = tmp_path_factory.mktemp("clinic") / "the clinic"
    (folder / "data").mkdir(parents=True)
    wines = load_wine(as_frame=True).frame.rename(columns={"target": "cultivar"})
    pl.from_pandas(wines).with_columns(
        pl.col("cultivar").replace_strict({0: "barolo", 1: "grignolino", 2: "barbera"})
    ).write_parquet(folder / "data" / "wines.parquet")
    visits = pl.from_pandas(load_diabetes(as_frame=True, scaled=False).frame).rename(
        {"target": "progression"}
    )
    draw = np.random.default_rng(5)
    visits = visits.with_columns(
        pl.Series("visit", [f"V{n:04}" for n in range(visits.height)]),
        pl.Series("ward", draw.choice(["north", "south", "Übersee"], visits.height)),
        pl.when(pl.Series(draw.random(visits.height) < 0.1)).then(None).otherwise(pl.col("bmi")).alias("bmi"),
    )
    visits[:200].write_csv(folder / "data" / "visits-1.csv")
    visits[200:].write_csv(folder / "data" / "visits-2.csv")
    for name, code in (("cultivar", FOREST), ("progression", MIXED), ("boosted", BOOSTED)):
        place = folder / "models" / name
        place.mkdir(parents=True)
        (place / "model.py").write_text(code)
        (place / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
        (place / "test_model.py").write_text("def test_nothing():\n    assert True\n")
    (folder / "modelyard.toml").write_text(SETTINGS.format(port=8101))
    built = subprocess.run(
        [sys.executable, "-m", "modelyard", "-C", str(folder), "build"], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    assert built.stdout.count("register") == 3
    return folder


def test_three_models_one_service(modelyard: Command, clinic: Path, free_port: int) -> None:
    (clinic / "modelyard.toml").write_text(SETTINGS.format(port=free_port))
    try:
        code, output, complaint = modelyard("-C", clinic, "deploy", "test")
        assert code == 0, complaint
        assert output.count("is live in test") == 3
        answers = _ask(free_port, "/models")[1]["models"]
        assert {(a["model"], a["task"], a["form"]) for a in answers} == {
            ("cultivar", "multiclass", "onnx"),
            ("progression", "regression", "onnx"),
            ("boosted", "regression", "native"),
        }
        row = {"age": 50, "sex": 1.0, "bmi": None, "bp": 90.0, "ward": "Übersee"}
        row |= {f"s{n}": 100.0 for n in range(1, 7)} | {"s4": 4.0, "s5": 4.5}
        for model in ("progression", "boosted"):
            status, answer = _ask(free_port, f"/models/{model}/predict", {"rows": [row, row]})
            assert status == 200, answer
            assert answer["prediction"][0] == answer["prediction"][1]
            assert 20 < answer["prediction"][0] < 350
            assert "probability" not in answer
        status, answer = _ask(free_port, "/models/progression/predict", {"rows": [row | {"ward": 7}]})
        assert (status, answer["error"]["field"]) == (422, "ward")
        for model in ("cultivar", "progression", "boosted"):
            code, output, complaint = modelyard("-C", clinic, "monitor", "test", model, "--json")
            assert code == 0, complaint
            expected = {"cultivar": 0, "progression": 2, "boosted": 2}[model]
            assert json.loads(output)[0]["rows"] == expected
        assert modelyard("-C", clinic, "doctor")[0] == 0
    finally:
        modelyard("-C", clinic, "stop")


def test_reports_of_each_task(modelyard: Command, clinic: Path) -> None:
    shown = {"cultivar": "barolo", "progression": "<svg", "boosted": "<svg"}
    for model, says in (("cultivar", "accuracy"), ("progression", "rmse"), ("boosted", "r2")):
        code, output, complaint = modelyard("-C", clinic, "evaluate", model)
        assert code == 0, complaint
        assert says in output
        report = Path(output.split("report: ")[1].strip())
        assert shown[model] in report.read_text()


def _ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        door.request("GET" if body is None else "POST", path, content)
        answer = door.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        door.close()
