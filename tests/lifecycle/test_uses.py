"""A model that asks another registered model, through the command line on real data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelyard.errors import Tampered
from modelyard.predictor import open_package
from modelyard.project import open_project

Command = Callable[..., tuple[int, str, str]]
SETTINGS = """
[models.second]
code = "models/second"
data = "patients"
uses = ["screening@latest"]
"""
MODEL = """
import modelyard as my
from sklearn.ensemble import RandomForestClassifier

SPACE = {"trees": my.integer(5, 60, default=30)}

def widened(rows):
    return rows.assign(first=my.used("screening").predict_proba(rows)[:, 1])

def train(data, params):
    forest = RandomForestClassifier(params["trees"], random_state=data.seed)
    return forest.fit(widened(data.features), data.target)

def predict(model, rows):
    return model.predict_proba(widened(rows))
"""
TESTS = """
import modelyard as my
import pandas as pd
import pytest

def test_it_asks_the_first_model():
    assert my.used("screening").classes == ("benign", "malignant")
    with pytest.raises(Exception, match="'mean_radius'"):
        my.used("screening").predict(pd.DataFrame({"age": [1.0]}))

PAYLOADS = []
"""


ASK = """
import importlib.util, json, sys
import mlflow, pandas as pd
assert importlib.util.find_spec("modelyard") is None
rows = pd.read_csv("rows.csv")
json.dump(mlflow.pyfunc.load_model(sys.argv[1]).predict(rows).tolist(), open("answers.json", "w"))
"""


def words(folder: Path, *command: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "-C", str(folder), *command], capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout if code == 0 else done.stderr


def read(folder: Path, *command: str) -> Any:
    return json.loads(words(folder, *command, "--json"))


@pytest.fixture(scope="module")
def once(built_once: Path, tmp_path_factory: pytest.TempPathFactory, plain_reports: str) -> Path:
    """``screening@1`` and ``second@1``, which asks it; not to be changed, ``pair`` is a copy."""
    folder = Path(shutil.copytree(built_once, tmp_path_factory.mktemp("uses") / "screening"))
    code = folder / "models/second"
    code.mkdir()
    (code / "model.py").write_text(MODEL)
    (code / "test_model.py").write_text(TESTS)
    (code / "requirements.model").write_text(
        f"scikit-learn=={version('scikit-learn')}\npandas=={version('pandas')}\n"
    )
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text() + SETTINGS + plain_reports)
    words(folder, "build", "second")
    return folder


@pytest.fixture
def pair(once: Path, tmp_path: Path, free_port: int) -> Iterator[Path]:
    folder = Path(shutil.copytree(once, tmp_path / "screening"))
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text().replace("port = 8101", f"port = {free_port}"))
    yield folder
    subprocess.run([sys.executable, "-m", "modelyard", "-C", str(folder), "stop"], capture_output=True)


def edit(folder: Path, old: str, new: str, file: str = "modelyard.toml") -> None:
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_the_number_is_on_record_and_the_package_is_carried_whole(once: Path) -> None:
    first = read(once, "versions", "screening")[0]
    run = read(once, "runs", "second")[0]
    assert run["uses"] == [{"model": "screening", "number": 1, "package": first["package"]}]
    second = read(once, "versions", "second")[0]
    folder = once / ".modelyard/packages" / second["package"]
    predictor = open_package(folder, digest=second["package"], trust=open_project(once).trust())
    assert [used.ref for used in predictor.manifest.uses] == ["screening@1"]
    assert predictor.manifest.form == "native"
    carried = open_package(folder / "uses/screening@1", digest=first["package"])
    assert carried.manifest.model == "screening"
    assert "onnxruntime==" in (folder / "requirements.txt").read_text()


def test_what_was_tested_is_what_a_service_answers(pair: Path) -> None:
    rows = pl.read_csv(pair / "data/patients.csv").head(25)
    rows.write_parquet(pair / "rows.parquet")
    expected = read(pair, "predict", "second@1", str(pair / "rows.parquet"))
    words(pair, "deploy", "test", "second")
    port = (
        (pair / "modelyard.toml").read_text().split("[environments.test]")[1].split("port = ")[1].split()[0]
    )
    body = json.dumps({"rows": rows.drop("patient_id", "diagnosis").to_dicts()}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/models/second/predict", body)
    with urllib.request.urlopen(request) as reply:
        told = json.loads(reply.read())
    assert told["prediction"] == expected["prediction"]
    assert np.array_equal(told["probability"], expected["probability"])


@pytest.mark.peer
def test_mlflow_answers_the_same_without_modelyard(
    peer: Callable[[str], Path], once: Path, tmp_path: Path
) -> None:
    rows = pl.read_csv(once / "data/patients.csv").tail(25)
    rows.write_csv(tmp_path / "rows.csv")
    expected = read(once, "predict", "second@1", str(tmp_path / "rows.csv"))
    folder = once / ".modelyard/packages" / read(once, "versions", "second")[0]["package"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(peer("mlflow")), "-B", "-c", ASK, str(folder)],
        cwd=tmp_path,
        env={**environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert np.allclose(
        json.loads((tmp_path / "answers.json").read_text()), expected["probability"], atol=1e-9
    )


def test_a_byte_of_what_is_carried_that_changed_is_refused(pair: Path) -> None:
    second = read(pair, "versions", "second")[0]
    folder = pair / ".modelyard/packages" / second["package"]
    inner = folder / "uses/screening@1/model/model.onnx"
    inner.chmod(0o644)
    inner.write_bytes(inner.read_bytes()[:-1] + b"\x00")
    with pytest.raises(Tampered, match=r"uses/screening@1/model/model\.onnx was changed"):
        open_package(folder, digest=second["package"])


def test_a_newer_version_is_noticed_where_the_newest_is_meant_and_only_there(pair: Path) -> None:
    assert "unchanged" in words(pair, "build", "--dry-run")
    edit(pair, 'metric = "roc_auc"', 'metric = "roc_auc"\nparams = { C = 0.5 }')
    planned = {step["name"]: step for step in read(pair, "build", "--dry-run")}
    assert planned["screening/train"]["fate"] == "run"
    assert planned["second/train"]["reasons"] == ["follows screening/register"]
    words(pair, "build")
    assert read(pair, "runs", "second")[0]["uses"][0]["number"] == 2
    explained = {
        (i["kind"], i["name"]): i["now"] for i in read(pair, "build", "--explain", "second/train")["inputs"]
    }
    assert explained["used model", "screening"] == "@2"
    edit(pair, "screening@latest", "screening@1")
    planned = {step["name"]: step for step in read(pair, "build", "second", "--dry-run")}
    assert {step["fate"] for step in planned.values()} == {"unchanged"}  # the first build did this
    edit(pair, "screening@1", "screening@2")
    assert {step["fate"] for step in read(pair, "build", "second", "--dry-run")} == {"unchanged"}


def test_lineage_goes_both_ways(once: Path) -> None:
    below = read(once, "lineage", "screening@1")
    assert [one["version"]["model"] for one in below["used_by"]] == ["second"]
    above = read(once, "lineage", "second")
    assert [one["version"]["package"] for one in above["uses"]] == [below["version"]["package"]]
    assert above["uses"][0]["run"]["dataset"] == "patients@1"
    told = words(once, "lineage", "second@1")
    assert "uses" in told
    assert "screening@1  package" in told
    assert "second@1  package" in words(once, "lineage", "screening")
    data = words(once, "lineage", "patients")
    assert "used by" in data


def test_it_is_reproduced_with_the_version_that_it_used(pair: Path) -> None:
    told = read(pair, "reproduce", "second@1")
    assert told["verdict"] == "identical", told


def test_gc_takes_nothing_that_is_used(pair: Path) -> None:
    first = read(pair, "versions", "screening")[0]
    shutil.rmtree(pair / ".modelyard/packages")
    assert read(pair, "gc", "--grace", "0s", "--unused")["removed"] == []
    project = open_project(pair)
    assert project.artifacts.has(first["package"])
    project.close()
    assert "prediction" in words(pair, "predict", "second@1", str(pair / "data/patients.csv"), "--json")


def test_its_own_tests_and_trials_ask_it_too(pair: Path) -> None:
    assert "passed" in words(pair, "check", "second")
    edit(pair, "uses = [", "tune = { trials = 3, jobs = 2, folds = 2 }\nuses = [")
    words(pair, "train", "second")
    run = read(pair, "runs", "second")[0]
    assert run["study"]["complete"] == 3


@pytest.mark.parametrize(
    ("uses", "says"),
    [
        (
            '["pictures@3"]',
            "'models.second.uses': There is no registered model 'pictures'; known: screening, second",
        ),
        (
            '["screening@9"]',
            "'models.second.uses': There is no screening@9; the latest version is screening@1",
        ),
        ('["screening@prod"]', "'models.second.uses': Nothing of screening is live in prod"),
        ('["patients@1"]', "There is no registered model 'patients'"),
        ('["second@1"]', "'models.second.uses' leads back to itself (second uses second)"),
        ('["screening@1", "screening@latest"]', "'models.second.uses' names 'screening' twice"),
        ('["screening"]', "models.second.uses"),
        ('["a@b@c"]', "models.second.uses"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch, uses: str, says: str
) -> None:
    monkeypatch.setenv("MODELYARD_MODELS__SECOND__USES", uses)
    code, _, complaint = modelyard("-C", once, "train", "second")
    assert code == 2, complaint
    assert says in complaint
    assert len(complaint.strip().splitlines()) == 1


def test_a_round_of_models_is_refused(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_MODELS__SCREENING__USES", '["second@1"]')
    code, _, complaint = modelyard("-C", once, "build", "--dry-run")
    assert code == 2
    assert "leads back to itself (screening uses second uses screening)" in complaint


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'my.used("screening").predict_proba(rows)',
            'my.used("screening").predict_proba(rows.drop(columns="mean_radius"))',
            'line 8 (\'return rows.assign(first=my.used("screening").predict_proba(rows.drop(columns="mean_radius"))[:, 1])\'): '
            "DataRefused: The rows do not fit the schema of screening@1: ",
        ),
        (
            'my.used("screening")',
            'my.used("triage")',
            "my.used('triage'): the model's 'uses' in modelyard.toml names screening@1",
        ),
        (
            "predict_proba(rows)[:, 1]",
            "predict_proba([1, 2])[:, 1]",
            "screening@1 takes a pandas or Polars frame or an array, got a list",
        ),
    ],
)
def test_what_its_code_asks_wrongly_names_the_line(
    modelyard: Command, pair: Path, old: str, new: str, says: str
) -> None:
    edit(pair, old, new, "models/second/model.py")
    code, _, complaint = modelyard("-C", pair, "train", "second")
    assert code == 1
    assert says in complaint
    assert "model.py" in complaint
