"""A model is trained again as it was: the same to the bit, nearly the same, or different and in what."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelyard.project import Project, fresh, open_project
from modelyard.records.run import Code, Run

Command = Callable[..., tuple[int, str, str]]
EXAMPLE = (Path(__file__).parents[2] / "docs/commands/reproduce.md").read_text()
OTHER = "0ther0ther00"
FOREST = """
from sklearn.ensemble import RandomForestClassifier
def train(data, params):
    return RandomForestClassifier(20, random_state=data.seed, n_jobs=2).fit(data.features, data.target)
"""
BOOSTED = """
import lightgbm
def train(data, params):
    model = lightgbm.LGBMClassifier(n_estimators=20, subsample=0.7, subsample_freq=1, random_state=data.seed, verbose=-1)
    return model.fit(data.features, data.target)
"""
DRAWN = """
import os, time
import numpy as np, modelyard as my
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline
def train(data, params):
    time.sleep(float(os.environ.get("PAUSE_OF_THE_TEST", "0")))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.features, data.target)
    noise = np.random.default_rng().normal(size=30)
    my.log_metric("noise", float(noise[0]))
    model[-1].coef_ += SIZE * noise
    return model
"""


@pytest.fixture
def own(built_once: Path, tmp_path: Path) -> Path:
    """A built project, in no repository."""
    folder = tmp_path / "screening"
    shutil.copytree(built_once, folder)
    return folder


def again(modelyard: Command, folder: Path, ref: str, *words: str, exits: int = 0) -> dict[str, Any]:
    code, output, complaint = modelyard("-C", folder, "reproduce", ref, "--json", *words)
    assert code == exits, complaint
    found: dict[str, Any] = json.loads(output)
    return found


def shape(text: str) -> list[str]:
    """Lines without what is another each time."""
    known = re.sub(r"[0-9a-f]{12}", "ID", re.sub(r"in \d+\.\d s", "in S", text))
    return [" ".join(line.split()) for line in known.splitlines() if not line.startswith("---")]


def thing(found: dict[str, Any], name: str) -> tuple[bool, str]:
    one = next(one for one in found["things"] if one["thing"] == name)
    return one["same"], one["sentence"]


def train(modelyard: Command, folder: Path, code: str | None = None, requirements: str = "") -> None:
    if code is not None:
        (folder / "models/screening/model.py").write_text(code)
        with (folder / "models/screening/requirements.model").open("a") as file:
            file.write(requirements)
    done, _, complaint = modelyard("-C", folder, "train", "screening")
    assert done == 0, complaint


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    done = subprocess.run(
        ["git", *named, "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "as it is")
    return git(folder, "rev-parse", "HEAD")


def held(project: Project) -> tuple[object, ...]:
    """All that the yard holds to be true, but for what came of doing it again."""
    with project.yard.read() as facts:
        return (
            facts.runs.list(),
            facts.packages.list(),
            facts.versions.list(),
            facts.datasets.list(),
            [event for event in facts.events.list() if event.action != "package.reproduced"],
            sorted(project.artifacts.digests()),
        )


def put(folder: Path, **changes: Any) -> Run:
    """The newest run's record with something of it otherwise, as another run."""
    project = open_project(folder)
    with project.yard.read() as facts:
        run = next(run for run in facts.runs.list("screening") if run.id != OTHER)
    other = msgspec.structs.replace(run, id=OTHER, **changes)
    project.yard.once(fresh("test"), "test", lambda facts: facts.runs.put(other), type(None))
    return run


def uses(modelyard: Command, folder: Path) -> int:
    count: int = json.loads(modelyard("-C", folder, "data", "--json")[1])[0]["test_uses"]
    return count


def test_a_version_is_the_same_to_the_bit_whatever_the_settings_say_now(
    modelyard: Command, own: Path
) -> None:
    settings = own / "modelyard.toml"
    before = held(open_project(own))
    settings.write_text(
        settings.read_text().replace(
            "[models.screening]",
            '[models.screening]\nseed = 99\nform = "native"\nparams = { C = 50.0 }\nproof_tolerance = 1e-3',
            1,
        )
    )
    (own / "models/screening/model.py").write_text("raise RuntimeError('not the code of version 1')\n")
    found = again(modelyard, own, "screening@1")
    assert found["verdict"] == "identical"
    assert found["again"] == found["package"]
    assert thing(found, "code") == (True, "as the package keeps it, since it was not under version control")
    assert [one["same"] for one in found["things"]] == [True] * 3
    event = json.loads(modelyard("-C", own, "audit", "--json")[1])[-1]
    assert event["action"] == "package.reproduced"
    assert event["payload"] == {"package": found["package"], "verdict": "identical"}
    assert held(open_project(own)) == before
    assert list((own / ".modelyard/scratch").iterdir()) == []
    assert list((own / ".modelyard/runs").iterdir()) == []
    output = modelyard("-C", own, "reproduce", found["run"][:6])[1]
    assert f"{found['run']} of screening: identical to the bit" in output
    assert f"patients@1, {json.loads(modelyard('-C', own, 'data', '--json')[1])[0]['digest'][:12]}" in output


def test_the_code_is_that_of_its_commit(modelyard: Command, own: Path) -> None:
    top = own.parent
    commit = committed(top)  # the project is a folder of the repository
    train(modelyard, own)
    (own / "models/screening/model.py").write_text("import nothing_of_the_kind\n")
    (own / "models/screening/added.py").write_text("")
    later = committed(top)
    status = git(top, "status", "--porcelain")
    output = modelyard("-C", own, "reproduce", "screening@run")[1]
    assert f"commit {commit[:12]}\n" in output
    assert shape(output) == shape(EXAMPLE.partition("reproduce screening@run\n")[2].partition("```")[0])
    assert (git(top, "rev-parse", "HEAD"), git(top, "status", "--porcelain")) == (later, status)
    run = put(own, code=Code(digest="0" * 64, commit="f" * 40))
    assert run.code.commit == commit
    found = again(modelyard, own, OTHER)
    assert found["verdict"] == "identical"
    assert (
        thing(found, "code")[1]
        == "as the package keeps it, since commit ffffffffffff is not in this repository"
    )
    put(own, code=Code(digest="0" * 64, commit=later))
    assert "has another model.py and 1 more" in thing(again(modelyard, own, OTHER), "code")[1]


def test_of_a_dirty_tree_the_commit_counts_only_if_it_holds_the_models_code(
    modelyard: Command, own: Path
) -> None:
    commit = committed(own)
    with (own / "modelyard.toml").open("a") as settings:
        settings.write("# edited\n")
    train(modelyard, own)
    told = thing(again(modelyard, own, "screening@run"), "code")[1]
    assert told == f"commit {commit[:12]}; what was not committed then is no part of it"
    code = own / "models/screening/model.py"
    code.write_text(code.read_text() + "\n# not committed\n")
    train(modelyard, own)
    code.write_text("import nothing_of_the_kind\n")
    found = again(modelyard, own, "screening@run")
    assert found["verdict"] == "identical"
    assert thing(found, "code")[1] == (
        f"as the package keeps it, since commit {commit[:12]} has another model.py, which was not committed then"
    )


@pytest.mark.parametrize(
    ("code", "library"), [(FOREST, "sklearn"), (BOOSTED, "lightgbm")], ids=["forest", "lightgbm"]
)
def test_what_draws_with_the_seed_is_the_same_to_the_bit(
    modelyard: Command, own: Path, code: str, library: str
) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed; it comes with the extra of that name")
    pin = f"lightgbm=={importlib.import_module(library).__version__}\n" if library == "lightgbm" else ""
    train(modelyard, own, code, pin)
    found = again(modelyard, own, "screening@run")
    assert (found["verdict"], found["files"]) == ("identical", [])


def test_what_no_seed_fixes_is_different_and_said_in_what(modelyard: Command, own: Path) -> None:
    train(modelyard, own, DRAWN.replace("SIZE", "3.0"))
    before = uses(modelyard, own)
    found = again(modelyard, own, "screening@run", exits=1)
    assert found["verdict"] == "different"
    assert "model/model.onnx" in found["files"]
    assert found["answers"]["worst"] > 0.01
    assert {f["name"] for f in found["metrics"]} >= {"roc_auc", "accuracy"}
    assert found["logged"][0]["then"] != found["logged"][0]["now"]
    differs = {one["thing"] for one in found["things"] if not one["same"]}
    assert {"model", "package", "predictions", "metrics", "logged"} == differs
    assert thing(found, "environment")[0]
    code, output, complaint = modelyard("-C", own, "reproduce", "screening@run")
    assert code == 1
    assert (
        "came out different (model, package, predictions, metrics, logged): code, data, libraries"
        in complaint
    )
    assert "model/model.onnx" in output
    assert uses(modelyard, own) == before + 2
    event = json.loads(modelyard("-C", own, "audit", "--json")[1])[-1]
    assert (event["action"], event["payload"]["verdict"]) == ("package.reproduced", "different")
    assert modelyard("-C", own, "audit", "verify")[0] == 0
    assert json.loads(modelyard("-C", own, "doctor", "--json")[1]) == []


def test_nearly_the_same_is_equal_within_the_tolerance_asked_for(modelyard: Command, own: Path) -> None:
    train(modelyard, own, DRAWN.replace("SIZE", "1e-9"))
    found = again(modelyard, own, "screening@run")
    assert found["verdict"] == "equal"
    assert 0 < found["answers"]["worst"] < found["tolerance"] == 1e-5
    assert not thing(found, "model")[0]
    assert "equal within 1e-05" in modelyard("-C", own, "reproduce", "screening@run")[1]
    assert again(modelyard, own, "screening@run", "--tolerance", "0", exits=1)["verdict"] == "different"


def test_killed_amid_training_it_leaves_what_gc_sweeps_and_two_at_once_do_not_meet(
    modelyard: Command, own: Path
) -> None:
    train(modelyard, own, DRAWN.replace("SIZE", "0.0"))
    words = [sys.executable, "-m", "modelyard", "-C", str(own), "reproduce", "screening@run"]
    slow = subprocess.Popen(words, env=os.environ | {"PAUSE_OF_THE_TEST": "600"})
    scratch = own / ".modelyard/scratch"
    deadline = time.monotonic() + 60
    while not list(scratch.glob("again-*/work/log.txt")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = held(open_project(own))
    slow.send_signal(signal.SIGKILL)
    slow.wait()
    problems = json.loads(modelyard("-C", own, "doctor", "--json")[1])
    assert [(p["waste"], "again-" in p["where"]) for p in problems] == [(True, True)]
    assert modelyard("-C", own, "gc")[0] == 0
    assert list(scratch.iterdir()) == []
    assert json.loads(modelyard("-C", own, "doctor", "--json")[1]) == []
    both = [subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [json.loads(one.communicate(timeout=120)[0]) for one in both]
    # the model is the same; what it logged is not
    assert [one["verdict"] for one in said] == ["identical", "identical"]
    assert held(open_project(own)) == before
    assert list(scratch.iterdir()) == []


def test_other_libraries_are_asked_for_and_told(modelyard: Command, own: Path) -> None:
    project = open_project(own)
    with project.yard.read() as facts:
        run = facts.runs.list("screening")[0]
    put(own, environment=run.environment | {"numpy": "0.0.0", "python": "3.2.1"})
    code, _, complaint = modelyard("-C", own, "reproduce", OTHER)
    assert code in (1, 2)
    assert "was trained with other libraries than are installed here, and theirs cannot be had" in complaint
    assert complaint.rstrip().endswith("give --here to train it with these.")
    found = again(modelyard, own, OTHER, "--here")
    same, told = thing(found, "environment")
    assert not same
    assert "numpy 0.0.0 → " in told
    assert "python 3.2.1 → " in told


def test_what_is_not_kept_any_more_is_one_sentence(modelyard: Command, own: Path) -> None:
    project = open_project(own)
    with project.yard.read() as facts:
        run = facts.runs.list("screening")[0]
    manifest = json.loads(project.artifacts.get(run.candidate or ""))

    def refused(ref: str, *, exits: int = 2) -> str:
        code, _, complaint = modelyard("-C", own, "reproduce", ref)
        assert code == exits, complaint
        assert complaint.count("\n") == 1
        return complaint

    assert "There is no run 'nothing'" in refused("nothing")
    assert "There is no screening@7; the latest version is screening@1" in refused("screening@7")
    assert "is no reference" in refused("screening@@")
    put(own, status="failed", error="it raised.", candidate=None)
    assert "failed (it raised), so it gave no model" in refused(OTHER)
    put(own, status="running", candidate=None)
    assert "is still running" in refused(OTHER)
    put(own, dataset="patients@9")
    assert f"patients@9, which run {OTHER} learned from, is not on record" in refused(OTHER)
    put(own, dataset_digest="0" * 64)
    assert "patients@1 is on record with another content" in refused(OTHER, exits=1)

    older = manifest | {"files": [f for f in manifest["files"] if not f["path"].startswith("code/")]}
    put(own, candidate=project.artifacts.put(msgspec.json.encode(older)))
    assert "is not kept with its package, and it was not under version control" in refused(OTHER)
    code = next(f["sha256"] for f in manifest["files"] if f["path"] == "code/model.py")
    project.artifacts.delete(code)
    assert f"has no artifact {code}" in refused("screening@1")
    project.artifacts.delete(run.candidate or "")
    assert "is not in the artifact store any more, so there is nothing to hold it against" in refused(
        "screening@1"
    )


def test_rows_that_gc_gave_up_are_named(modelyard: Command, own: Path) -> None:
    source = own / "data/patients.csv"
    for _ in range(2):
        source.write_text("\n".join(source.read_text().splitlines()[:-1]) + "\n")
        assert modelyard("-C", own, "ingest", "patients")[0] == 0
    project = open_project(own)
    with project.yard.read() as facts:
        given_up = facts.datasets.get("patients", 2)
        run = facts.runs.list("screening")[0]
    assert given_up is not None
    put(own, dataset="patients@2", dataset_digest=given_up.digest, started=run.started.replace(year=2020))
    del project
    assert "patients@2" in modelyard("-C", own, "gc", "--unused", "--grace", "0s")[1]
    code, _, complaint = modelyard("-C", own, "reproduce", OTHER)
    assert code == 1
    assert (
        f"The rows of patients@2, which run {OTHER} learned from, were given up by 'modelyard gc" in complaint
    )
