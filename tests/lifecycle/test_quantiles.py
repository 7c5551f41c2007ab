"""Regressions that answer quantiles, from settings to the prediction log: compiled, of a list of regressors, and of
the author's own ``predict``."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_diabetes

import modelyard as my
from modelyard.monitoring import collect, window

Command = Callable[..., tuple[int, str, str]]
FirstBuild = Callable[[Path, dict[str, str], str], Path]

SETTINGS = """
[project]
name = "clinic"
[data.visits]
source = "data/visits.csv"
target = "progression"
split = {{ test = 0.3 }}
[models.spread]
code = "models/spread"
data = "visits"
quantiles = [0.05, 0.5, 0.95]
gates = {{ coverage = {{ min = 0.7, max = 1.0 }}, pinball = {{ max = 30 }}, crossing = {{ max = 0.3 }} }}
[models.spread.evaluation]
slices = ["bmi"]
[models.own]
code = "models/own"
data = "visits"
quantiles = [0.1, 0.9]
gates = {{ pinball_p90 = {{ max = 30 }} }}
[environments.test]
port = {port}
"""
PAGE = Path(__file__).parents[2] / "docs" / "quantiles.md"
LISTED, SORTED = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
"""The page's examples."""
OWN = """
from sklearn.ensemble import HistGradientBoostingRegressor

def train(data, params):
    made = [HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=20) for q in data.quantiles]
    return [one.fit(data.features, data.target) for one in made]
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, first_build: FirstBuild) -> Path:
    """A project with its first build."""
    folder = tmp_path_factory.mktemp("quantiles") / "clinic"
    (folder / "data").mkdir(parents=True)
    visits = pl.from_pandas(load_diabetes(as_frame=True, scaled=False).frame).rename(
        {"target": "progression"}
    )
    visits.write_csv(folder / "data" / "visits.csv")
    return first_build(folder, {"spread": LISTED, "own": OWN + SORTED}, SETTINGS.format(port=8101))


def rows(folder: Path, count: int) -> list[dict[str, Any]]:
    return pl.read_csv(folder / "data" / "visits.csv").drop("progression").head(count).to_dicts()


def test_one_service_answers_quantiles_which_are_logged_and_watched(
    modelyard: Command, clinic: Path, free_port: int
) -> None:
    (clinic / "modelyard.toml").write_text(SETTINGS.format(port=free_port))
    try:
        code, _, complaint = modelyard("-C", clinic, "deploy", "test")
        assert code == 0, complaint
        served = {m["model"]: m["form"] for m in _ask(free_port, "/models")[1]["models"]}
        assert served == {"spread": "onnx", "own": "native"}
        for model, levels, at in (("spread", [0.05, 0.5, 0.95], 1), ("own", [0.1, 0.9], 0)):
            status, answer = _ask(free_port, f"/models/{model}/predict", {"rows": rows(clinic, 3)})
            assert status == 200, answer
            assert answer["levels"] == levels
            assert "probability" not in answer
            assert [len(row) for row in answer["quantiles"]] == [len(levels)] * 3
            assert [row[at] for row in answer["quantiles"]] == answer["prediction"]
            assert all(20 < row[0] < row[-1] < 350 for row in answer["quantiles"])
            _, told = _ask(free_port, f"/v2/models/{model}")
            assert {"name": "quantiles", "datatype": "FP64", "shape": [-1, len(levels)]} in told["outputs"]
            inputs = [
                {
                    "name": name,
                    "shape": [3],
                    "datatype": _kind(value),
                    "data": [row[name] for row in rows(clinic, 3)],
                }
                for name, value in rows(clinic, 1)[0].items()
            ]
            status, inferred = _ask(free_port, f"/v2/models/{model}/infer", {"inputs": inputs})
            assert status == 200, inferred
            outputs = {o["name"]: o for o in inferred["outputs"]}
            assert outputs["quantiles"]["shape"] == [3, len(levels)]
            assert outputs["quantiles"]["data"] == [q for row in answer["quantiles"] for q in row]
            assert b'"levels":{"const":[' in _raw(free_port, "/openapi.json")
            code, output, complaint = modelyard("-C", clinic, "monitor", "test", model, "--json")
            assert code == 0, complaint
            assert json.loads(output)[0]["rows"] == 6
        assert modelyard("-C", clinic, "doctor")[0] == 0
    finally:
        modelyard("-C", clinic, "stop")
    for moved in (0, 12):
        if moved:
            assert collect(*_log(clinic), environment="test") == moved
        for model, levels in (("spread", 3), ("own", 2)):
            found = _logged(clinic, model)
            assert found["quantiles"].list.len().to_list() == [levels] * 6
            assert found["quantiles"].list.get(levels - 2).to_list() == found["prediction"].to_list()
            assert found["probability"].null_count() == 6


def _log(folder: Path) -> tuple[Path, Path]:
    home = folder / ".modelyard"
    return home / "predictions" / "test", home / "artifacts" / "tables"


def _logged(folder: Path, model: str) -> pl.DataFrame:
    log, tables = _log(folder)
    start, end = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2000, 2100))
    return window(tables, log, environment="test", model=model, start=start, end=end)


def test_the_report_tells_what_the_intervals_are_worth(modelyard: Command, clinic: Path) -> None:
    code, output, complaint = modelyard("-C", clinic, "evaluate", "spread", "--json")
    assert code == 0, complaint
    report = json.loads(output)
    metrics = {m["name"]: m for m in report["metrics"]}
    assert report["quantiles"] == [0.05, 0.5, 0.95]
    assert list(metrics)[:5] == ["pinball", "coverage", "coverage_error", "interval_width", "crossing"]
    assert metrics["coverage"]["aim"] == pytest.approx(0.9)
    assert metrics["coverage"]["low"] < metrics["coverage"]["value"] <= metrics["coverage"]["high"]
    assert 2 * metrics["pinball_p50"]["value"] == pytest.approx(metrics["mae"]["value"])
    each = [metrics[f"pinball_p{level}"]["value"] for level in (5, 50, 95)]
    assert metrics["pinball"]["value"] == pytest.approx(np.mean(each))
    assert {b["name"] for b in report["baselines"]} == {"quantiles", "ridge_quantiles"}
    assert report["importance"]["loss"] == report["stability"]["loss"] == "pinball"
    curves = {c["name"]: c for c in report["curves"]}
    assert set(curves) == {"residuals", "qq", "quantiles", "fan"}
    assert len(report["residuals"]) == 6
    fan = curves["fan"]
    inside = [a <= y <= b for a, y, b in zip(fan["low"], fan["y"], fan["high"], strict=True)]
    assert np.mean(inside) == pytest.approx(metrics["coverage"]["value"])
    assert {s["column"] for s in report["slices"]} == {"bmi"}
    folder = clinic / ".modelyard" / "reports" / "spread"
    page = next(folder.rglob("report.html")).read_text()
    for says in ("True values and their intervals", "Do the quantiles mean what they say?", "near 0.9"):
        assert says in page


def test_predict_and_mlflow_tell_every_quantile(modelyard: Command, clinic: Path, tmp_path: Path) -> None:
    pl.DataFrame(rows(clinic, 4)).write_csv(tmp_path / "rows.csv")
    for model, levels in (("spread", 3), ("own", 2)):
        code, output, complaint = modelyard("-C", clinic, "predict", model, tmp_path / "rows.csv", "--json")
        assert code == 0, complaint
        answer = json.loads(output)
        assert len(answer["levels"]) == levels
        out = tmp_path / f"{model}-package"
        assert modelyard("-C", clinic, "package", model, "--output", out)[0] == 0
        script = (
            "import sys, json, pandas as pd; sys.path.insert(0, 'code'); import modelyard_pyfunc as m;"
            f"print(json.dumps(m._load_pyfunc('.').predict(pd.read_csv({str(tmp_path / 'rows.csv')!r})).tolist()))"
        )
        alone = subprocess.run([sys.executable, "-c", script], cwd=out, capture_output=True, text=True)
        assert alone.returncode == 0, alone.stderr
        assert np.allclose(json.loads(alone.stdout), answer["quantiles"])
    code, output, _ = modelyard("-C", clinic, "predict", "spread", tmp_path / "rows.csv")
    assert code == 0
    assert output.splitlines()[0].split() == ["row", "prediction", "0.05", "0.5", "0.95"]


def test_reproduce_diff_and_a_notebook_know_them(modelyard: Command, clinic: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(clinic, tmp_path / "clinic"))
    code, output, complaint = modelyard("-C", folder, "reproduce", "own@1")
    assert code == 0, complaint
    assert "identical to the bit" in output

    file = folder / "models/spread/model.py"
    file.write_text(file.read_text().replace("max_depth=2", "max_depth=1"))
    settings = folder / "modelyard.toml"
    parts = ("search", "importance", "stability", "baselines", "footprint")
    head, off = "[models.spread.evaluation]\n", "".join(f"{part} = false\n" for part in parts)
    settings.write_text(settings.read_text().replace(head, head + off, 1))
    for words in (("train", "spread"), ("evaluate", "spread@run")):
        code, _, complaint = modelyard("-C", folder, *words)
        assert code == 0, complaint
    code, output, complaint = modelyard("-C", folder, "diff", "spread@1", "spread@run")
    assert code == 0, complaint
    same_rows = output.partition("on the same rows")[2].partition("\n\n")[0]
    for name in ("Pinball loss ", "MAE "):
        assert name in same_rows

    asked = pl.DataFrame(rows(folder, 3))
    told = my.load("spread@1", project=folder).predict(asked)
    assert told.columns == ["prediction", "quantile_0.05", "quantile_0.5", "quantile_0.95"]
    asked.write_parquet(tmp_path / "rows.parquet")
    _, output, _ = modelyard("-C", folder, "predict", "spread@1", tmp_path / "rows.parquet", "--json")
    assert told.drop("prediction").rows() == [tuple(row) for row in json.loads(output)["quantiles"]]


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ("quantiles = [0.9, 0.1]", None, "'quantiles' must rise"),
        ("quantiles = [0.1, 1.0]", None, "< 1"),
        ('quantiles = [0.1]\ntask = "binary"', None, "'quantiles' are of a regression"),
        ("quantiles = [0.1, 0.9]\ngates = { pinball_p50 = { max = 3 } }", LISTED, "no metric 'pinball_p50'"),
        (
            'quantiles = [0.1, 0.9]\ngates = { coverage = { no_worse_than = "test" } }',
            LISTED,
            "near 0.8, better neither above nor below",
        ),
        ("gates = { pinball = { max = 3 } }", LISTED, "no metric 'pinball' for a regression model"),
        (
            "quantiles = [0.1, 0.5, 0.9]",
            LISTED.replace("in data.quantiles", "in data.quantiles[:2]"),
            "a list of 2; for the 3 quantiles",
        ),
        (
            "quantiles = [0.1, 0.9]",
            "from sklearn.linear_model import Ridge\ndef train(data, params):\n"
            "    return Ridge().fit(data.features, data.target)\n",
            "where [50, 2] was expected: a number for each of the quantiles 0.1, 0.9",
        ),
        (
            "quantiles = [0.1, 0.9]",
            LISTED + SORTED.replace("np.sort", "np.nan * np.sort"),
            "every answer must be finite",
        ),
        (
            "",
            LISTED.replace("data.quantiles", "(0.1, 0.9)"),
            "an object of type list, which has no 'predict'",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    modelyard: Command, clinic: Path, tmp_path: Path, settings: str, code: str | None, says: str
) -> None:
    place = tmp_path / "project"
    (place / "models" / "bad").mkdir(parents=True)
    (place / "models" / "bad" / "model.py").write_text(code or LISTED)
    (place / "models" / "bad" / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
    (place / "modelyard.toml").write_text(
        '[project]\nname = "bad"\n[data.visits]\n'
        f'source = "{clinic / "data" / "visits.csv"}"\ntarget = "progression"\n'
        f'[models.bad]\ncode = "models/bad"\ndata = "visits"\n{settings}\n[environments.test]\nport = 8199\n'
    )
    modelyard("-C", place, "ingest")
    found, _, complaint = modelyard("-C", place, "train", "bad")
    assert found in (1, 2), complaint
    assert says in complaint
    assert "Traceback" not in complaint


def _kind(value: object) -> str:
    return "INT64" if isinstance(value, int) else "FP64"


def _ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    status, content = _reply(port, path, body)
    return status, json.loads(content)


def _raw(port: int, path: str) -> bytes:
    return _reply(port, path, None)[1]


def _reply(port: int, path: str, body: object) -> tuple[int, bytes]:
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        door.request("GET" if body is None else "POST", path, content)
        answer = door.getresponse()
        return answer.status, answer.read()
    finally:
        door.close()
