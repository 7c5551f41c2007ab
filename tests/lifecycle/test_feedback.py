"""Outcomes from a file, for predictions that a service gave."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Command = Callable[..., tuple[int, str, str]]


def cli(folder: Path, *words: str) -> int:
    command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True).returncode


@pytest.fixture(scope="module")
def clinic(built_once: Path, ports: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose model answered forty patients in test, two a request; ``told.csv`` is what they had."""
    folder = tmp_path_factory.mktemp("feedback") / "screening"
    shutil.copytree(built_once, folder)
    settings = folder / "modelyard.toml"
    (port,) = ports(1)
    settings.write_text(settings.read_text().replace("port = 8101", f"port = {port}"))
    assert cli(folder, "deploy", "test") == 0
    patients = pl.read_csv(folder / "data" / "patients.csv").head(40)
    told: list[tuple[Any, ...]] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for at in range(0, 40, 2):
        some = patients.slice(at, 2)
        body = json.dumps({"rows": some.drop("patient_id", "diagnosis").to_dicts()})
        connection.request("POST", "/models/screening/predict", body, {"X-Request-Id": f"visit-{at}"})
        answer = json.loads(connection.getresponse().read())
        told += [(answer["request_id"], f"visit-{at}", row, d) for row, d in enumerate(some["diagnosis"])]
    columns = ["request_id", "client_id", "row", "diagnosis"]
    pl.DataFrame(told, schema=columns, orient="row").write_csv(folder / "told.csv")
    connection.close()
    yield folder
    cli(folder, "stop")


def told(
    modelyard: Command, folder: Path, frame: pl.DataFrame, *words: str, name: str = "some.csv"
) -> dict[str, Any]:
    path = folder / name
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[path.suffix](
        path
    )
    code, output, complaint = modelyard("-C", folder, "feedback", "screening", str(path), *words, "--json")
    assert code == 0, complaint
    counted: dict[str, Any] = json.loads(output)
    return counted


def test_joined_by_request_by_client_and_by_features_in_any_form(modelyard: Command, clinic: Path) -> None:
    frame = pl.read_csv(clinic / "told.csv")
    first = told(modelyard, clinic, frame.head(10))
    assert (first["environment"], first["by"], first["told"]) == ("test", ["request_id"], 10)
    assert (first["joined"], first["unknown"], first["refused"]) == (10, 0, 0)
    by_client = told(modelyard, clinic, frame.slice(10, 10).drop("request_id"), name="some.parquet")
    assert (by_client["by"], by_client["joined"]) == (["client_id"], 10)
    patients = pl.read_csv(clinic / "data" / "patients.csv").slice(20, 5)
    columns = ["mean_radius", "mean_texture", "diagnosis"]
    by_features = told(
        modelyard, clinic, patients.select(columns), "--by", "mean_radius,mean_texture", name="some.jsonl"
    )
    assert (by_features["joined"], by_features["unknown"]) == (5, 0)
    again = told(modelyard, clinic, frame.head(25))
    assert (again["repeated"], again["corrected"]) == (25, 0)
    other = {"benign": "malignant", "malignant": "benign"}
    turned = frame.head(3).with_columns(pl.col("diagnosis").replace(other))
    corrected = told(modelyard, clinic, turned)
    assert (corrected["corrected"], corrected["labelled"]) == (3, again["labelled"])


def test_monitor_tells_how_right_the_answers_were_and_alerts_when_they_are_not(
    modelyard: Command, clinic: Path
) -> None:
    settings = (clinic / "modelyard.toml").read_text()
    frame = pl.read_csv(clinic / "told.csv")
    other = {"benign": "malignant", "malignant": "benign"}

    def quality(*words: str, kind: str = "live_quality") -> tuple[int, dict[str, Any]]:
        code, output, complaint = modelyard("-C", clinic, "monitor", "test", "screening", "--json", *words)
        assert code in (0, 1), complaint
        found = [f for f in json.loads(output)[0]["findings"] if f["kind"] == kind]
        return code, {f["statistic"]: f for f in found}

    try:
        toml = settings.replace("[monitor.screening]", "[monitor.screening]\nmin_rows = 20\nstream = 100")
        (clinic / "modelyard.toml").write_text(toml)
        told(modelyard, clinic, frame)
        code, found = quality("--fail")
        assert (found["coverage"]["value"], found["coverage"]["window_rows"]) == (1.0, 40)
        assert "in the median" in found["coverage"]["sentence"]
        assert "its floor is 0.95 (its gate)" in found["roc_auc"]["sentence"]
        assert not found["roc_auc"]["alert"]
        assert found["accuracy"]["value"] > 0.9
        assert (found["mean_errors"]["alert"], found["mean_errors"]["slice"]) == (False, "stream")
        assert (
            "no alarm, by a detector that raises at most one false alarm in 100"
            in found["mean_errors"]["sentence"]
        )
        assert found["roc_auc"]["reference_rows"] > 100
        code, estimated = quality(kind="estimated_quality")
        assert set(estimated) == {"roc_auc", "accuracy"}
        low, high = estimated["accuracy"]["interval"]
        assert low <= found["accuracy"]["value"] <= high
        assert "no such estimate sees whether" in estimated["roc_auc"]["sentence"]
        by_weight = toml.replace("min_rows = 20", 'min_rows = 20\nestimate = "importance"')
        (clinic / "modelyard.toml").write_text(by_weight)
        weighted = quality(kind="estimated_quality")[1]
        assert "effective_rows" in weighted or "weighted to be worth" in weighted["roc_auc"]["sentence"]
        (clinic / "modelyard.toml").write_text(by_weight.replace("importance", "none"))
        assert quality(kind="estimated_quality")[1] == {}
        (clinic / "modelyard.toml").write_text(toml)
        told(modelyard, clinic, frame.with_columns(pl.col("diagnosis").replace(other)))
        code, found = quality("--fail")
        assert code == 1
        assert found["roc_auc"]["alert"]
        assert found["roc_auc"]["p_value"] < 0.001
        assert "most likely since" in found["roc_auc"]["sentence"]
        assert found["mean_errors"]["alert"]
        assert "were told otherwise before" in found["coverage"]["sentence"]
        stricter = toml.replace(
            "min_rows = 20", 'min_rows = 20\nquality = { metric = "accuracy", max = 1.0 }'
        )
        (clinic / "modelyard.toml").write_text(stricter)
        code, _, complaint = modelyard("-C", clinic, "monitor", "test", "screening")
        assert (code, "bound it with 'min'" in complaint) == (2, True)
    finally:
        (clinic / "modelyard.toml").write_text(settings)


def test_monitor_tells_how_groups_are_treated_by_answers_alone_or_by_outcomes(
    modelyard: Command, built: Path
) -> None:
    """Large tumours are answered malignant more often than small ones; by texture malignant ones are found alike."""
    fair = """
[models.screening.fairness]
mean_radius = { metric = "demographic_parity", max_gap = 0.1, edges = [14.0] }
mean_texture = { metric = "equal_opportunity", max_gap = 0.3, edges = [20.0] }
patient_id = { min_ratio = 0.8 }
"""
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text() + fair)
    assert cli(built, "deploy", "test") == 0
    port = tomllib.loads(settings.read_text())["environments"]["test"]["port"]
    patients = pl.read_csv(built / "data" / "patients.csv").head(300)
    body = json.dumps({"rows": patients.drop("patient_id", "diagnosis").to_dicts()})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/models/screening/predict", body)
    request = json.loads(connection.getresponse().read())["request_id"]
    connection.close()

    def treated() -> dict[str, dict[str, Any]]:
        code, output, complaint = modelyard("-C", built, "monitor", "test", "screening", "--json", "--fail")
        assert code == 1, complaint
        return {f["column"]: f for f in json.loads(output)[0]["findings"] if f["kind"] == "fairness"}

    found = treated()
    radius = found["mean_radius"]
    assert (radius["alert"], radius["statistic"], radius["window_rows"]) == (True, "selection_gap", 300)
    assert radius["interval"][0] < radius["value"] < radius["interval"][1]
    assert "is allowed between above 14 and up to 14: it is beyond that" in radius["sentence"]
    assert "fewer than two groups" in found["mean_texture"]["sentence"]
    assert "is not watched: 'patient_id' is no feature" in found["patient_id"]["sentence"]
    outcomes = patients.select("diagnosis").with_row_index("row").with_columns(request_id=pl.lit(request))
    assert told(modelyard, built, outcomes)["joined"] == 300
    texture = treated()["mean_texture"]
    malignant = (patients["diagnosis"] == "malignant").sum()
    assert (texture["slice"], texture["window_rows"], texture["alert"]) == ("positives", malignant, False)
    assert texture["p_value"] is not None


def test_what_a_person_reads(modelyard: Command, clinic: Path) -> None:
    path = clinic / "odd.csv"
    path.write_text("request_id,outcome\nnobody,benign\nnobody,Benign\n,benign\n")
    code, output, complaint = modelyard("-C", clinic, "feedback", "screening", str(path))
    assert code == 0, complaint
    assert "1 outcome of screening in test kept" in output
    assert "1 of predictions that are not known yet" in output
    assert "row 2 'outcome' is 'Benign', which is none of the model's classes" in output
    assert "row 3 has no 'request_id'" in output
    events = modelyard("-C", clinic, "audit", "--json")[1]
    assert '"outcomes.told"' in events


@pytest.mark.parametrize(
    ("content", "words", "code", "said"),
    [
        ("request_id,outcome\na,maybe\n", (), 1, "No row of"),
        ("request_id,outcome\n", (), 1, "no rows"),
        ("diagnosis\nbenign\n", (), 1, "must say which prediction"),
        ("request_id,x\na,1\n", (), 1, "--outcome"),
        (
            "request_id,outcome\na,benign\n",
            ("--environment", "prod"),
            2,
            "Nothing of screening is live in prod",
        ),
        ("request_id,outcome\na,benign\n", ("--environment", "nowhere"), 2, "nowhere"),
        ("patient_id,outcome\nP0001,benign\n", (), 1, "'patient_id' is no feature"),
        ("\x00\x01", (), 1, ""),
    ],
)
def test_what_is_no_table_of_outcomes(
    modelyard: Command, clinic: Path, content: str, words: tuple[str, ...], code: int, said: str
) -> None:
    path = clinic / "bad.csv"
    path.write_text(content)
    answered, _, complaint = modelyard("-C", clinic, "feedback", "screening", path, *words)
    assert answered == code, complaint
    assert said in complaint
    assert "Traceback" not in complaint


def test_a_file_that_is_not_there_and_a_model_that_is_not(modelyard: Command, clinic: Path) -> None:
    assert modelyard("-C", clinic, "feedback", "screening", "nothing.csv")[0] == 2
    assert modelyard("-C", clinic, "feedback", "nobody", str(clinic / "told.csv"))[0] == 2
