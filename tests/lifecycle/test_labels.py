"""Models of several labels, from settings to the prediction log: compiled, and of the author's own ``predict``."""

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
from sklearn.datasets import load_digits

import modelyard as my
from modelyard.monitoring import collect, window

Command = Callable[..., tuple[int, str, str]]
FirstBuild = Callable[[Path, dict[str, str], str], Path]

LABELS = ["even", "prime", "loop"]
TARGET = json.dumps(LABELS)
SETTINGS = """
[project]
name = "figures"
[data.digits]
source = "data/digits.csv"
target = ["even", "prime", "loop"]
key = "number"
split = {{ test = 0.3, stratify = true, seed = 3 }}
[models.traits]
code = "models/traits"
data = "digits"
thresholds = {{ prime = 0.4 }}
gates = {{ f1_macro = {{ min = 0.7 }}, recall_prime = {{ min = 0.6 }}, hamming_loss = {{ max = 0.3 }} }}
[models.traits.evaluation]
slices = [{{ column = "p3", edges = [8] }}]
[models.own]
code = "models/own"
data = "digits"
gates = {{ subset_accuracy = {{ min = 0.3 }} }}
evaluation = {{ search = false, importance = false, stability = false, baselines = false, footprint = false }}
[environments.test]
port = {port}
"""
PAGE = Path(__file__).parents[2] / "docs" / "labels.md"
FITTED, ASKED = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
"""The page's examples."""
OWN = """
from sklearn.tree import DecisionTreeClassifier

def train(data, params):
    return [DecisionTreeClassifier(max_depth=6, random_state=0).fit(data.features, data.target[c]) for c in data.target]
"""


def write_digits(place: Path, rows: int = 900) -> None:
    """Digits in 16 numbers, with three attributes in three ways to say yes."""
    found = load_digits()
    blocks = found.images.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16).astype(int)
    digit = found.target
    frame = pl.DataFrame({"number": range(len(digit))} | {f"p{at}": blocks[:, at] for at in range(16)})
    frame = frame.with_columns(
        even=pl.Series(digit % 2 == 0),
        prime=pl.Series(np.isin(digit, [2, 3, 5, 7]).astype(int)),
        loop=pl.Series(np.where(np.isin(digit, [0, 6, 8, 9]), "yes", "no")),
    )
    frame.head(rows).write_csv(place)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory, first_build: FirstBuild) -> Path:
    """A project with its first build."""
    folder = tmp_path_factory.mktemp("labels") / "figures"
    (folder / "data").mkdir(parents=True)
    write_digits(folder / "data" / "digits.csv")
    return first_build(folder, {"traits": FITTED, "own": OWN + ASKED}, SETTINGS.format(port=8101))


def rows(folder: Path, count: int) -> list[dict[str, Any]]:
    return pl.read_csv(folder / "data" / "digits.csv").drop("number", *LABELS).head(count).to_dicts()


def test_one_service_answers_labels_which_are_logged_and_watched(
    modelyard: Command, figures: Path, free_port: int
) -> None:
    (figures / "modelyard.toml").write_text(SETTINGS.format(port=free_port))
    asked, prediction = rows(figures, 60), {}
    try:
        code, _, complaint = modelyard("-C", figures, "deploy", "test")
        assert code == 0, complaint
        served = {m["model"]: m["form"] for m in _ask(free_port, "/models")[1]["models"]}
        assert served == {"traits": "onnx", "own": "native"}
        for model, bounds in (("traits", [0.5, 0.4, 0.5]), ("own", None)):
            status, answer = _ask(free_port, f"/models/{model}/predict", {"rows": asked})
            assert status == 200, answer
            assert answer["classes"] == LABELS
            prediction[model] = answer["prediction"]
            holds = [[label in held for label in LABELS] for held in answer["prediction"]]
            assert any(len(held) > 1 for held in answer["prediction"])
            if bounds:
                assert holds == [
                    [p > t for p, t in zip(row, bounds, strict=True)] for row in answer["probability"]
                ]
            else:
                assert "probability" not in answer
            _, told = _ask(free_port, f"/v2/models/{model}")
            assert told["outputs"][0] == {
                "name": "prediction",
                "datatype": "BOOL",
                "shape": [-1, 3],
                "parameters": {"labels": "even,prime,loop"},
            }
            inputs = [
                {"name": name, "shape": [60], "datatype": "INT64", "data": [row[name] for row in asked]}
                for name in asked[0]
            ]
            status, inferred = _ask(free_port, f"/v2/models/{model}/infer", {"inputs": inputs})
            assert status == 200, inferred
            outputs = {o["name"]: o for o in inferred["outputs"]}
            assert outputs["prediction"]["shape"] == [60, 3]
            assert outputs["prediction"]["data"] == [yes for row in holds for yes in row]
            status, scored = _ask(free_port, "/invocations" + f"?model={model}", {"instances": asked})
            if status == 200:
                assert scored["predictions"] == (answer.get("probability") or holds)
            assert b'"The labels that hold."' in _raw(free_port, "/openapi.json")
            code, output, complaint = modelyard("-C", figures, "monitor", "test", model, "--json")
            assert code == 0, complaint
            watched = {
                f["column"] for f in json.loads(output)[0]["findings"] if f["kind"] == "prediction_drift"
            }
            chances = {f"probability of {label}" for label in LABELS}
            assert watched == {*LABELS, *(chances if bounds else ())}
        _, refused = _ask(free_port, "/models/traits/predict", {"rows": [{**asked[0], "loop": "yes"}]})
        assert "'loop' is not a feature but the target" in refused["error"]["message"]
        assert modelyard("-C", figures, "doctor")[0] == 0
    finally:
        modelyard("-C", figures, "stop")
    log, tables = figures / ".modelyard/predictions/test", figures / ".modelyard/artifacts/tables"
    start, end = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2000, 2100))
    for moved in (0, 240):
        if moved:
            assert collect(log, tables, environment="test") >= moved
        for model, held in prediction.items():
            found = window(tables, log, environment="test", model=model, start=start, end=end)
            assert found["prediction"].to_list()[:60] == held
            assert found["probability"].null_count() == (0 if model == "traits" else found.height)


def test_the_report_tells_label_by_label(modelyard: Command, figures: Path) -> None:
    code, output, complaint = modelyard("-C", figures, "evaluate", "traits", "--json")
    assert code == 0, complaint
    report = json.loads(output)
    assert (report["task"], report["classes"]) == ("multilabel", LABELS)
    metrics = {m["name"]: m for m in report["metrics"]}
    assert next(iter(metrics)) == "f1_macro"
    assert {f"{kind}_{label}" for kind in ("f1", "roc_auc", "recall") for label in LABELS} <= set(metrics)
    assert metrics["f1_macro"]["value"] == pytest.approx(
        np.mean([metrics[f"f1_{label}"]["value"] for label in LABELS])
    )
    assert not metrics["hamming_loss"]["higher_is_better"]
    for one in report["labels"]:
        recall = metrics[f"recall_{one['label']}"]
        assert recall["value"] == pytest.approx(one["right"] / one["rows"])
        assert recall["low"] < recall["value"] < recall["high"]
        assert one["best_f1"] >= metrics[f"f1_{one['label']}"]["value"]
    assert [one["threshold"] for one in report["labels"]] == [0.5, 0.4, 0.5]
    assert {b["name"] for b in report["baselines"]} == {"prior", "logistic"}
    assert report["importance"]["loss"] == report["stability"]["loss"] == "brier"
    assert {s["column"] for s in report["slices"]} == {"p3"}
    folder = figures / ".modelyard" / "reports" / "traits"
    page, text = (next(folder.rglob(f"report.{ending}")).read_text() for ending in ("html", "md"))
    for told in (page, text):
        assert "Label by label" in told
        assert "Recall of prime" in told  # of the gate
    assert "| prime |" in text


def test_the_data_is_told_label_by_label(modelyard: Command, figures: Path, tmp_path: Path) -> None:
    page = tmp_path / "data.html"
    code, output, complaint = modelyard("-C", figures, "data", "show", "digits", "--html", page, "--json")
    assert code == 0, complaint
    report = json.loads(output)
    assert report["labels"] == LABELS
    assert {c["name"] for c in report["columns"] if c["role"] == "target"} == set(LABELS)
    table = pl.read_csv(figures / "data" / "digits.csv")
    counts = {
        b["label"]: (b["train"] + b["test"], b["train_rows"] + b["test_rows"]) for b in report["balance"]
    }
    assert counts["prime"] == (table["prime"].sum(), table.height)
    assert counts["loop"] == ((table["loop"] == "yes").sum(), table.height)
    told = page.read_text()
    assert "even, prime, loop" in told
    assert "where the label holds" in told


def test_predict_score_and_mlflow_tell_every_label(modelyard: Command, figures: Path, tmp_path: Path) -> None:
    pl.DataFrame(rows(figures, 4)).write_csv(tmp_path / "rows.csv")
    for model in ("traits", "own"):
        code, output, complaint = modelyard("-C", figures, "predict", model, tmp_path / "rows.csv", "--json")
        assert code == 0, complaint
        answer = json.loads(output)
        holds = [[label in held for label in LABELS] for held in answer["prediction"]]
        out = tmp_path / f"{model}-package"
        assert modelyard("-C", figures, "package", model, "--output", out)[0] == 0
        script = (
            "import sys, json, pandas as pd; sys.path.insert(0, 'code'); import modelyard_pyfunc as m;"
            f"print(json.dumps(m._load_pyfunc('.').predict(pd.read_csv({str(tmp_path / 'rows.csv')!r})).tolist()))"
        )
        alone = subprocess.run([sys.executable, "-c", script], cwd=out, capture_output=True, text=True)
        assert alone.returncode == 0, alone.stderr
        assert np.allclose(json.loads(alone.stdout), answer.get("probability") or holds)
        code, _, complaint = modelyard(
            "-C", figures, "score", model, tmp_path / "rows.csv", tmp_path / f"{model}.csv"
        )
        assert code == 0, complaint
        table = pl.read_csv(tmp_path / f"{model}.csv").select(f"prediction_{label}" for label in LABELS)
        assert [list(row) for row in table.rows()] == holds
        told = my.load(f"{model}@1", project=figures).predict(pl.DataFrame(rows(figures, 4)))
        assert told.select(table.columns).equals(table)
    code, output, _ = modelyard(
        "-C", figures, "predict", "traits", tmp_path / "rows.csv", "--explain", "--label", "prime"
    )
    assert code == 0
    assert "What moves the probability of prime" in output
    code, _, complaint = modelyard(
        "-C", figures, "predict", "traits", tmp_path / "rows.csv", "--explain", "--label", "odd"
    )
    assert code == 2
    assert "its labels are even, prime, loop" in complaint


def test_reproduce_diff_and_a_champion_know_them(modelyard: Command, figures: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(figures, tmp_path / "figures"))
    code, output, complaint = modelyard("-C", folder, "reproduce", "own@1")
    assert code == 0, complaint
    assert "identical to the bit" in output
    settings = folder / "modelyard.toml"
    off = ("search", "importance", "stability", "baselines", "footprint")
    head = "[models.traits.evaluation]\n"
    settings.write_text(
        settings.read_text()
        .replace(head, head + "".join(f"{part} = false\n" for part in off), 1)
        # the labels in another order: a model keeps to its own
        .replace('["even", "prime", "loop"]', '["loop", "even", "prime"]')
    )
    file = folder / "models/traits/model.py"
    file.write_text(file.read_text().replace("max_iter=500", "max_iter=500, C=0.05"))
    for words in (("ingest",), ("train", "traits"), ("evaluate", "traits@run"), ("evaluate", "traits@1")):
        code, _, complaint = modelyard("-C", folder, *words)
        assert code == 0, complaint
    code, output, complaint = modelyard("-C", folder, "diff", "traits@1", "traits@run")
    assert code == 0, complaint
    same_rows = output.partition("on the same rows")[2].partition("\n\n")[0]
    for name in ("F1, macro", "Recall of prime", "Hamming loss"):
        assert name in same_rows


@pytest.mark.parametrize(
    ("target", "settings", "code", "says"),
    [
        ('["even"]', "", None, "has two labels or more"),
        ('["even", "even"]', "", None, "names 'even' twice"),
        ('["even", "prime", "none"]', "", None, "no column 'none' for the target"),
        ('["even", "p0"]', "", None, "The label 'p0' holds "),
        ('["even", "prime"]', 'task = "binary"', FITTED, 'task = "binary" has one target'),
        ('"even"', 'task = "multilabel"', FITTED, "needs several labels"),
        ('"even"', "thresholds = { even = 0.4 }", FITTED, "as it is a binary model"),
        (
            '["even", "prime"]',
            "thresholds = { loop = 0.4 }",
            FITTED,
            "'loop', which is no label of the model",
        ),
        ('["even", "prime"]', "gates = { recall_loop = { min = 0 } }", FITTED, "no metric 'recall_loop'"),
        ('["even", "prime"]', "gates = { accuracy = { min = 0 } }", FITTED, "for a multilabel model"),
        (
            TARGET,
            "",
            OWN.replace("for c in data.target]", "for c in ['even']]"),
            "a list of 1; for the 3 labels",
        ),
        (
            TARGET,
            "",
            OWN + "def predict(model, rows):\n    return model[0].predict(rows)\n",
            "where [50, 3] was expected: yes or no, or a probability, for each of the labels even, prime, loop",
        ),
        (
            TARGET,
            "",
            OWN + "def predict(model, rows):\n    return [[0.2, 1.5, 0.3]] * len(rows)\n",
            "no probabilities of the labels",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    modelyard: Command, figures: Path, tmp_path: Path, target: str, settings: str, code: str | None, says: str
) -> None:
    place = tmp_path / "project"
    (place / "models" / "bad").mkdir(parents=True)
    (place / "models" / "bad" / "model.py").write_text(code or FITTED)
    (place / "models" / "bad" / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
    (place / "modelyard.toml").write_text(
        '[project]\nname = "bad"\n[data.digits]\n'
        f'source = "{figures / "data" / "digits.csv"}"\ntarget = {target}\nkey = "number"\n'
        f'[models.bad]\ncode = "models/bad"\ndata = "digits"\n{settings}\n[environments.test]\nport = 8199\n'
    )
    found, _, complaint = modelyard("-C", place, "ingest")
    if code is not None:
        assert found == 0, complaint
        found, _, complaint = modelyard("-C", place, "train", "bad")
    assert found in (1, 2), complaint
    assert says in complaint
    assert "Traceback" not in complaint


def _ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    status, content = _reply(port, path, body)
    return status, json.loads(content)


def _raw(port: int, path: str) -> bytes:
    return _reply(port, path, None)[1]


def _reply(port: int, path: str, body: object) -> tuple[int, bytes]:
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        door.request("GET" if body is None else "POST", path, content, {"Content-Type": "application/json"})
        answer = door.getresponse()
        return answer.status, answer.read()
    finally:
        door.close()
