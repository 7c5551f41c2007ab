"""One project with a multiclass, a regression and a native model, answered for by one service."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_wine

Command = Callable[..., tuple[int, str, str]]
FirstBuild = Callable[[Path, dict[str, str], str], Path]

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
gates = {{ rmse = {{ max = 80 }}, latency_p99_ms = {{ max = 5000 }}, memory_mb = {{ max = 2000 }} }}
evaluation = {{ learning_curve = true }}
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
def clinic(tmp_path_factory: pytest.TempPathFactory, first_build: FirstBuild) -> Path:
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
    return first_build(
        folder, {"cultivar": FOREST, "progression": MIXED, "boosted": BOOSTED}, SETTINGS.format(port=8101)
    )


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


def test_the_report_tells_what_more_rows_are_worth_and_what_an_answer_takes(
    modelyard: Command, clinic: Path
) -> None:
    code, output, complaint = modelyard("-C", clinic, "evaluate", "progression", "--json")
    assert code == 0, complaint
    report = json.loads(output)
    points = report["learning"]["points"]
    assert report["learning"]["metric"] == "r2"
    assert [len(point["folds"]) for point in points] == [5] * 5
    learnt = [point["rows"] for point in points]
    assert learnt == sorted(learnt)
    assert learnt[-1] == pytest.approx((442 - report["rows"]) * 4 / 5, abs=1)
    assert points[0]["value"] < points[-1]["value"]
    taken = report["footprint"]
    assert (taken["form"], taken["one"]["rows"], taken["many"]["rows"]) == ("onnx", 1, 100)
    assert 0 < taken["one"]["p50"] <= taken["one"]["p99"] <= taken["one"]["slowest"]
    assert 30 < taken["memory_mb"] < 2000
    assert "cores" in taken["machine"]
    by_name = {gate["metric"]: gate["sentence"] for gate in report["gates"]}
    assert set(by_name) == {"rmse", "latency_p99_ms", "memory_mb"}
    leaning = report["residuals"]
    assert {one["column"] for one in leaning} == {"sex", "ward"}  # quarters of the others have too few rows
    assert [one["strength"] for one in leaning] == sorted((one["strength"] for one in leaning), reverse=True)
    code, output, _ = modelyard("-C", clinic, "evaluate", "progression")
    page = Path(output.split("report: ")[1].strip())
    for says in ("Learning curve", "What an answer takes", "Where the errors lean", "beside a normal"):
        assert says in page.read_text()
        assert says in page.with_suffix(".md").read_text() or says == "beside a normal"


def test_a_gate_on_what_an_answer_takes_refuses_and_cannot_ask_for_more(
    modelyard: Command, clinic: Path
) -> None:
    settings = clinic / "modelyard.toml"
    before = settings.read_text()
    asked = "memory_mb = { max = 2000 }"
    assert asked in before
    try:
        settings.write_text(before.replace(asked, "memory_mb = { max = 1 }"))
        code, _, complaint = modelyard("-C", clinic, "evaluate", "progression")
        assert code == 1
        assert "memory_mb is" in complaint
        assert "above 1, the most allowed" in complaint
        settings.write_text(before.replace(asked, 'memory_mb = { no_worse_than = "test" }'))
        code, _, complaint = modelyard("-C", clinic, "evaluate", "progression")
        assert code == 2
        assert "bound it with 'max' alone" in complaint
    finally:
        settings.write_text(before)


def test_the_curve_of_code_that_was_edited_since_is_not_drawn(modelyard: Command, clinic: Path) -> None:
    code_of = clinic / "models" / "progression" / "model.py"
    before = code_of.read_text()
    try:
        code_of.write_text(before + "\n# another thought\n")
        code, output, complaint = modelyard("-C", clinic, "evaluate", "progression", "--json")
        assert code == 0, complaint
        assert json.loads(output)["learning"]["points"] == []
        assert "was edited since it was trained" in json.loads(output)["learning"]["note"]
    finally:
        code_of.write_text(before)


def _ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        door.request("GET" if body is None else "POST", path, content)
        answer = door.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        door.close()
