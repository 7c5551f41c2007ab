"""What a training logs, through the command line: while it runs, when it has ended, when it was killed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

Command = Callable[..., tuple[int, str, str]]
CODE = """
import math, os, time
import modelyard as my
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline

def train(data, params):
    scaler = StandardScaler().fit(data.features)
    rows = scaler.transform(data.features)
    model = SGDClassifier(loss="log_loss", random_state=data.seed)
    for epoch in range(EPOCHS):
        model.partial_fit(rows, data.target, classes=sorted(set(data.target)))
        my.log_metric("accuracy", model.score(rows, data.target), step=epoch)
        my.log_metric("odd", math.nan if epoch % 2 else math.inf)
        time.sleep(PAUSE)
    my.log_param("epochs", EPOCHS)
    my.log_artifact("models/screening/requirements.model")
    my.log_chart("course", {"mark": "line", "data": {"values": [{"x": 1, "y": 2}]},
                            "encoding": {"x": {"field": "x", "type": "quantitative"}}})
    print("all epochs done")
    return make_pipeline(scaler, model)
"""


def write(project: Path, *, epochs: int, pause: float, code: str = CODE) -> None:
    text = code.replace("EPOCHS", str(epochs)).replace("PAUSE", str(pause))
    (project / "models/screening/model.py").write_text(text)


def shown(modelyard: Command, project: Path, ref: str = "screening@run", *words: str) -> dict[str, Any]:
    code, output, complaint = modelyard("-C", project, "runs", "show", ref, "--json", *words)
    assert code == 0, complaint
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_run_shows_what_it_logged(modelyard: Command, built: Path, tmp_path: Path) -> None:
    write(built, epochs=6, pause=0)
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 0, complaint
    found = shown(modelyard, built)
    run = found["run"]
    assert run["status"] == "finished"
    assert run["logged"] == {"epochs": 6}
    assert run["metrics"]["odd"] == "nan"
    assert 0.9 < run["metrics"]["accuracy"] <= 1
    assert [(m["name"], m["points"], m["step"]) for m in found["metrics"]] == [
        ("accuracy", 6, 5),
        ("odd", 6, 5),
    ]
    assert found["log"] == "all epochs done\n"
    assert run["resources"]["cpu_seconds"] > 0
    output = modelyard("-C", built, "runs", "show", run["id"][:8], "--save", tmp_path / "out")[1]
    for text in ("accuracy", "all epochs done", "epochs=6", "MiB at most", "course", "requirements.model"):
        assert text in output
    assert (tmp_path / "out/charts/course.svg").read_text().startswith("<svg")
    assert (tmp_path / "out/files/requirements.model").read_bytes() == (
        built / "models/screening/requirements.model"
    ).read_bytes()
    points = pl.read_parquet(io.BytesIO((tmp_path / "out/points.parquet").read_bytes()))
    assert points.filter(metric="accuracy")["step"].to_list() == list(range(6))
    assert "accuracy=" in modelyard("-C", built, "runs", "screening")[1]
    kept = [modelyard("-C", built, "gc", "--grace", "0s")[0], modelyard("-C", built, "doctor")[0]]
    assert kept == [0, 0]
    assert shown(modelyard, built)["metrics"] == found["metrics"]


def test_a_run_is_followed_while_it_trains(modelyard: Command, built: Path) -> None:
    write(built, epochs=12, pause=0.3)
    process = begun(built)
    code, output, complaint = modelyard("-C", built, "runs", "show", "screening@run", "--follow")
    assert process.wait(60) == 0
    assert code == 0, complaint
    looks = [line for line in output.splitlines() if line.startswith("accuracy[")]
    assert len(looks) > 2
    assert "finished" in output


def test_a_killed_training_keeps_what_it_logged(modelyard: Command, built: Path) -> None:
    write(built, epochs=10_000, pause=0.01)
    process = begun(built)
    for _ in range(1000):
        if (before := shown(modelyard, built))["metrics"] and before["metrics"][0]["points"] > 20:
            break
        time.sleep(0.05)
    assert before["run"]["status"] == "running"
    process.kill()
    process.wait()
    assert modelyard("-C", built, "gc")[0] == 0
    after = shown(modelyard, built, before["run"]["id"])
    assert after["run"]["status"] == "failed"
    assert after["metrics"][0]["points"] >= before["metrics"][0]["points"]


def test_what_cannot_be_logged_names_the_line(modelyard: Command, built: Path) -> None:
    write(built, epochs=1, pause=0, code=CODE.replace('"odd", math', '"odd\\n", math'))
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 1
    assert "models/screening/model.py, line 15 (" in complaint
    assert "my.log_metric takes a name of 1 to 200 printable characters" in complaint
    assert shown(modelyard, built)["metrics"][0]["name"] == "accuracy"


def test_a_run_that_is_not_there(modelyard: Command, built: Path) -> None:
    for ref, code, says in (
        ("nope", 2, "There is no run 'nope'"),
        ("screening@7", 2, "is no run"),
        ("other@run", 2, "no model 'other'"),
        ("", 2, "There is no run"),
    ):
        got, _, complaint = modelyard("-C", built, "runs", "show", ref)
        assert got == code
        assert says in complaint
    assert modelyard("-C", built, "runs", "nothing")[0] == 0


def begun(project: Path) -> subprocess.Popen[bytes]:
    """``train`` in a process of its own, once it is on record."""
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "train", "screening"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not any((project / ".modelyard/runs").glob("*/points.bin")):
        assert process.poll() is None
        time.sleep(0.02)
    return process
