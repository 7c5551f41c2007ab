"""Packages from elsewhere are taken on like one's own: tested, registered, deployed; killed and raced imports leave one."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

Command = Callable[..., tuple[int, str, str]]


def shown(modelyard: Command, project: Path, *words: str | Path) -> Any:
    code, output, complaint = modelyard("-C", project, *words)
    assert code == 0, complaint
    return json.loads(output)


def done(modelyard: Command, project: Path, *words: str | Path) -> str:
    code, output, complaint = modelyard("-C", project, *words)
    assert code == 0, complaint
    return output


@pytest.fixture
def handed(modelyard: Command, built: Path, tmp_path: Path) -> Path:
    """The package of a version, as one file."""
    file = tmp_path / "screening-1.mypkg"
    done(modelyard, built, "package", "screening@1", "--output", file)
    return file


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere" / "screening"
    command = [sys.executable, "-m", "modelyard", "init", "screening", "--folder", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def ask(project: Path, rows: list[dict[str, Any]]) -> Any:
    port = re.search(r"\[environments.test\].*?port = (\d+)", (project / "modelyard.toml").read_text(), re.S)
    assert port is not None
    door = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=20)
    door.request("POST", "/models/screening/predict", json.dumps({"rows": rows}))
    answer = door.getresponse()
    content = json.loads(answer.read())
    door.close()
    assert answer.status == 200, content
    return content


def test_models_of_others_are_tested_registered_and_deployed(
    modelyard: Command, built: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(built / "data" / "patients.csv")
    features = table.drop(columns=["patient_id", "diagnosis"])
    forest = RandomForestClassifier(n_estimators=15, random_state=1).fit(features, table["diagnosis"])
    joblib.dump(forest, tmp_path / "forest.joblib")
    graph = tmp_path / "model.onnx"
    folder = tmp_path / "folder"
    done(modelyard, built, "package", "screening@1", "--output", folder)
    graph.write_bytes((folder / "model" / "model.onnx").read_bytes())
    rows = json.loads(features.head(8).to_json(orient="records"))
    own = shown(modelyard, built, "predict", "screening@1", built / "data" / "patients.csv", "--json")
    wanted = {
        tmp_path / "forest.joblib": forest.predict(features.head(8)).tolist(),
        graph: own["prediction"][:8],
    }
    for number, (file, answers) in enumerate(wanted.items(), start=2):
        taken = shown(modelyard, built, "import", file, "--model", "screening", "--trust", "ours", "--json")
        code, _, complaint = modelyard("-C", built, "register", taken["ref"])
        assert code == 1
        assert "was not tested yet" in complaint
        done(modelyard, built, "evaluate", taken["ref"])
        assert shown(modelyard, built, "register", taken["ref"], "--json")["number"] == number
        done(modelyard, built, "deploy", "test", f"screening@{number}")
        answer = ask(built, rows)
        assert answer["model_id"] == f"screening/test/{number}"
        assert answer["prediction"] == answers
        found = shown(modelyard, built, "lineage", f"screening/test/{number}", "--json")
        assert found["data"] is None
        assert "What it learnt from is not on record here." in done(
            modelyard, built, "card", f"screening@{number}"
        )
        tests = shown(modelyard, built, "readiness", f"screening@{number}", "--json")["tests"]
        assert {t["id"]: t["state"] for t in tests}["I5"] == "automated"
        assert (
            next(t for t in tests if t["id"] == "D1")["found"] == "What it learnt from is not on record here."
        )
    code, _, complaint = modelyard("-C", built, "reproduce", "screening@2")
    assert code == 2
    assert "it was imported, and made elsewhere" in complaint
    assert shown(modelyard, built, "doctor", "--json") == []


def test_a_model_that_is_code_runs_only_when_somebody_answers_for_it(
    modelyard: Command, built: Path, tmp_path: Path
) -> None:
    """It takes one of thirty columns; its package is asked like any other."""
    folder, ran = tmp_path / "rule", tmp_path / "ran"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: rule, code: code, data: limit.txt}\n"
        'signature:\n  inputs: \'[{"type": "double", "name": "mean_radius"}]\'\n'
    )
    (folder / "limit.txt").write_text("15.5")
    (folder / "code" / "rule.py").write_text(
        f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n"
        "class Rule:\n    def __init__(self, limit):\n        self.limit = limit\n"
        "    def predict(self, rows):\n"
        "        return (rows['mean_radius'] > self.limit).map({True: 'malignant', False: 'benign'})\n"
        "def _load_pyfunc(path):\n    return Rule(float(pathlib.Path(path).read_text()))\n"
    )
    code, _, complaint = modelyard("-C", built, "import", folder, "--model", "screening")
    assert code == 1
    assert "code of its own, which runs when it is imported" in complaint
    assert not ran.exists()
    settings = built / "modelyard.toml"
    text = settings.read_text().replace('metric = "roc_auc"', 'metric = "accuracy"')
    settings.write_text(re.sub(r"roc_auc = \{ min = 0.95.*\}", "accuracy = { min = 0.7 }", text))
    words = ("import", folder, "--model", "screening", "--trust", "Ben wrote it")
    taken = shown(modelyard, built, *words, "--json")
    assert taken["package"]["digest"] == shown(modelyard, built, *words, "--json")["package"]["digest"]
    done(modelyard, built, "evaluate", taken["ref"])
    assert shown(modelyard, built, "register", taken["ref"], "--json")["number"] == 2
    done(modelyard, built, "deploy", "test", "screening@2")
    answer = ask(built, [{"mean_radius": 20.0}, {"mean_radius": 10.0}])
    assert answer["prediction"] == ["malignant", "benign"]
    [event] = [e for e in shown(modelyard, built, "audit", "--json") if e["action"] == "package.imported"][:1]
    assert event["payload"]["trusted"] == "Ben wrote it"
    # and without a signature that is trusted its code does not run again
    key = shown(modelyard, built, "keys", "--json")[0]["id"]
    settings.write_text(f'{settings.read_text()}\n[signing]\nrevoked = ["{key[:16]}"]\n')
    ran.unlink()
    code, _, complaint = modelyard("-C", built, "evaluate", "screening@2")
    assert code == 1
    assert key[:16] in complaint
    assert not ran.exists()


def test_evaluate_signs_nothing_that_a_stranger_made(
    modelyard: Command, built: Path, elsewhere: Path, handed: Path
) -> None:
    done(modelyard, built, "keys", "export", elsewhere / "anna.pub")
    settings = elsewhere / "modelyard.toml"
    before = settings.read_text()
    settings.write_text(f'{before}\n[signing]\ntrusted = ["anna.pub"]\n')
    ref = shown(modelyard, elsewhere, "import", handed, "--json")["ref"]
    theirs = shown(modelyard, built, "versions", "show", "screening@1", "--json")["package"]["signatures"]
    done(modelyard, elsewhere, "ingest")
    for text in (settings.read_text(), before):  # while Anna is trusted, and when nobody trusts her any more
        settings.write_text(text)
        done(modelyard, elsewhere, "evaluate", ref)
        signed = shown(modelyard, elsewhere, "versions", "show", ref, "--json")["package"]["signatures"]
        assert [one["key"] for one in signed] == [one["key"] for one in theirs]
    done(modelyard, elsewhere, "register", ref)
    done(modelyard, elsewhere, "card", "screening@1", "--attest")
    signed = shown(modelyard, elsewhere, "versions", "show", ref, "--json")["package"]["signatures"]
    assert [one["key"] for one in signed] == [one["key"] for one in theirs]
    own = elsewhere / "own.pub"
    done(modelyard, elsewhere, "keys", "export", own)
    settings.write_text(
        before.replace("[environments.test]\n", '[environments.test]\ntrusted = ["own.pub"]\n')
    )
    code, _, complaint = modelyard("-C", elsewhere, "deploy", "test", "screening@1")
    assert code == 1
    assert "which is not trusted in test" in complaint


def importing(project: Path, file: Path) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        "-m",
        "modelyard",
        "-C",
        str(project),
        "import",
        str(file),
        "--trust",
        "ours",
        "--json",
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_import_is_taken_up(modelyard: Command, elsewhere: Path, handed: Path) -> None:
    killed = 0
    for step in range(1, 40):  # at moments from its start to its end
        one = importing(elsewhere, handed)
        time.sleep(0.2 * step)
        done_before = one.poll() is not None
        one.kill()
        one.communicate()
        if done_before:
            break
        killed += 1
    assert killed
    output, complaint = importing(elsewhere, handed).communicate(timeout=120)
    taken = json.loads(output or complaint)
    again = json.loads(importing(elsewhere, handed).communicate(timeout=120)[0])
    assert again["package"]["digest"] == taken["package"]["digest"]
    done(modelyard, elsewhere, "gc")
    assert shown(modelyard, elsewhere, "doctor", "--json") == []
    assert done(modelyard, elsewhere, "audit", "verify")
    inspected = shown(modelyard, elsewhere, "versions", "show", taken["ref"], "--json")
    assert len(inspected["signed"]) == 1


def test_two_imports_at_once_make_one_package(modelyard: Command, elsewhere: Path, handed: Path) -> None:
    both = [importing(elsewhere, handed) for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    refs = {json.loads(output)["ref"] for output, _ in said}
    assert len(refs) == 1
    inspected = shown(modelyard, elsewhere, "versions", "show", refs.pop(), "--json")
    assert len(inspected["signed"]) == 1
    assert shown(modelyard, elsewhere, "doctor", "--json") == []
