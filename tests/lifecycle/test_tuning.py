"""Studies through the command line: every trial on record, nothing finished lost, bad ones told in a sentence."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
MODEL = """
import os, time
import modelyard as my
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
SPACE = {"C": my.log_uniform(1e-3, 1e2, default=1.0), "balanced": my.choice([True, False], default=False)}
def train(data, params):
    BODY
    weight = "balanced" if params["balanced"] else None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=params["C"], class_weight=weight))
    return model.fit(data.features, data.target)
"""
DAYS = """
import modelyard as my
from sklearn.linear_model import Ridge
SPACE = {"alpha": my.log_uniform(1e-3, 1e3, default=1.0)}
def train(data, params):
    with open("seen", "a") as file:
        file.write(f"{params['alpha']} {len(data.target)} {data.features['day'].max()}\\n")
    return Ridge(alpha=params["alpha"]).fit(data.features, data.target)
"""


def write(project: Path, tune: str, *, body: str = "pass", model: str = MODEL) -> None:
    (project / "models/screening/model.py").write_text(model.replace("BODY", body))
    file = project / "modelyard.toml"
    lines = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith("tune")]
    text = "".join(lines).replace("[models.screening]\n", f"[models.screening]\ntune = {tune}\n", 1)
    file.write_text(text)


def shown(modelyard: Command, project: Path) -> dict[str, Any]:
    code, output, complaint = modelyard("-C", project, "runs", "show", "screening@run", "--json")
    assert code == 0, complaint
    found: dict[str, Any] = json.loads(output)
    return found


def test_trials_are_recorded_failures_among_them_and_the_best_is_trained(
    modelyard: Command, built: Path
) -> None:
    write(
        built,
        '{ sampler = "tpe", trials = 14, folds = 3, pruner = "median" }',
        body="assert params['C'] < 10, 'too bold'",
    )
    code, output, complaint = modelyard("-C", built, "train", "screening")
    assert code == 0, complaint
    assert "trial 14/14: " in output
    found = shown(modelyard, built)
    run, trials = found["run"], found["trials"]
    assert sorted(t["number"] for t in trials) == list(range(14))
    by = {state: [t for t in trials if t["state"] == state] for state in ("complete", "pruned", "failed")}
    assert all(by.values()), {state: len(of) for state, of in by.items()}
    for trial in by["failed"]:
        assert "line 9 (" in trial["error"]
        assert "AssertionError: too bold" in trial["error"]
    assert all(len(t["folds"]) == 3 for t in by["complete"])
    assert all(len(t["folds"]) < 3 for t in by["pruned"])
    assert trials[0]["value"] == max(t["value"] for t in by["complete"]) == run["study"]["value"]
    assert run["params"] == trials[0]["params"]
    assert set(run["study"]["importance"]) == {"C", "balanced"}
    code, output, _ = modelyard("-C", built, "runs")
    assert f"best roc_auc={run['study']['value']:.6g} of 14/14 trials" in output
    assert modelyard("-C", built, "evaluate", "screening@run")[0] == 0
    [page] = (built / ".modelyard/reports/screening").glob(f"{run['candidate'][:12]}/report.html")
    assert page.read_text().count("<svg") >= 4
    for words in ("How its parameters were found", "The search", "Which parameters mattered", "By balanced"):
        assert words in page.read_text()


def test_interrupted_and_killed_a_study_goes_on_with_what_is_not_done(
    modelyard: Command, built: Path
) -> None:
    write(
        built,
        "{ trials = 9, folds = 2 }",
        body="fits = len(open('fits', 'a+').write(str(params['C']) + '\\n') and list(open('fits')))\n"
        "    while fits in (5, 10) and not os.path.exists(f'go{fits}'): time.sleep(0.01)",
    )
    interrupted = begun(built, fits=5)
    interrupted.send_signal(signal.SIGINT)
    _, complaint = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert b"stopped by Ctrl-C after 2 of 9 trials, which are kept; the same command goes on" in complaint
    assert [t["number"] for t in by_number(shown(modelyard, built))] == [0, 1]
    (built / "go5").touch()
    killed = begun(built, fits=10)
    during = shown(modelyard, built)
    assert during["run"]["status"] == "running"
    killed.kill()
    killed.communicate()
    before = by_number(shown(modelyard, built))
    assert before[:2] == by_number(during)[:2]
    assert len(before) == 4
    [file] = (built / ".modelyard/studies/screening").iterdir()
    with file.open("a") as torn:
        torn.write('{"number":4,"state":"comp')
    (built / "go10").touch()
    code, _, complaint = modelyard("-C", built, "gc")
    assert code == 0, complaint
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 0, complaint
    after = by_number(shown(modelyard, built))
    assert after[:4] == before
    assert [t["number"] for t in after] == list(range(9))
    assert len({t["params"]["C"] for t in after}) == 9
    # Two folds of nine trials, the two that were cut short, and the best on all rows.
    assert len((built / "fits").read_text().splitlines()) == 9 * 2 + 2 + 1
    assert not file.exists()
    code, output, _ = modelyard("-C", built, "runs", "--json")
    lost = json.loads(output)[1]
    assert (lost["status"], lost["study"]["complete"]) == ("failed", 4)


def begun(project: Path, *, fits: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "train", "screening"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(3000):
        if (project / "fits").exists() and len((project / "fits").read_text().splitlines()) >= fits:
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("it did not come so far")


def by_number(found: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(found["trials"], key=lambda trial: int(trial["number"]))


@pytest.mark.parametrize(
    ("tune", "body", "words", "code", "says"),
    [
        (
            "{ trials = 3 }",
            "raise ValueError('no')",
            [],
            1,
            "Each of the 3 trials of the study failed; the first: ",
        ),
        ("{ trials = 2, jobs = 2 }", "os._exit(4)", [], 1, "ended its process with exit code 4"),
        (
            "{}",
            "pass",
            ["--set", "c=1"],
            2,
            "There is no parameter 'c' in the model's SPACE; known: C, balanced.",
        ),
        ("{}", "pass", ["--set", "C=1", "--set", "balanced=true"], 2, "every parameter of SPACE is given"),
        ("{ trails = 3 }", "pass", [], 2, "trails"),
        ("{ points = 3 }", "pass", [], 2, "'points' goes with sampler = 'grid'"),
        ("{ folds = 50 }", "import this_is_nowhere", [], 1, "this_is_nowhere"),
    ],
)
def test_what_cannot_go_well_is_one_sentence(
    modelyard: Command, built: Path, tune: str, body: str, words: list[str], code: int, says: str
) -> None:
    write(built, tune, body=body)
    got, _, complaint = modelyard("-C", built, "train", "screening", *words)
    assert got == code, complaint
    assert says in complaint
    assert len(complaint.strip().splitlines()) == 1
    studies = built / ".modelyard/studies/screening"
    assert not studies.exists() or not list(studies.iterdir())


def test_by_time_no_trial_looks_ahead_and_jobs_change_no_trial(modelyard: Command, built: Path) -> None:
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True).frame
    frame["day"] = [(at * 37) % 60 for at in range(len(frame))]
    frame.to_csv(built / "data/patients.csv", index=False)
    (built / "data/patients.schema.toml").unlink()
    (built / "modelyard.toml").write_text(
        '[project]\nname = "p"\n[data.sugar]\nsource = "data/patients.csv"\ntarget = "target"\n'
        'split = { time = "day", test = 0.25 }\n[models.screening]\n'
        'code = "models/screening"\ndata = "sugar"\nmetric = "rmse"\n'
    )
    assert modelyard("-C", built, "ingest")[0] == 0
    found = []
    for jobs in (1, 2):
        write(built, f'{{ sampler = "grid", points = 4, folds = 3, jobs = {jobs} }}', model=DAYS)
        code, _, complaint = modelyard("-C", built, "train", "screening")
        assert code == 0, complaint
        found.append(shown(modelyard, built))
    one, two = map(by_number, found)
    assert [t["params"] for t in one] == [t["params"] for t in two]
    assert [t["value"] for t in one] == pytest.approx([t["value"] for t in two])
    assert found[0]["run"]["study"]["value"] == min(t["value"] for t in one)
    days = sorted(frame["day"])
    held = max(d for d in days if d <= float(max(line.split()[2] for line in seen(built))))
    for line in seen(built):
        _, rows, last = line.split()
        assert int(rows) == sum(day <= float(last) for day in days)  # all rows up to a day, and none after
    assert len({line.split()[2] for line in seen(built)}) == 3 + 1
    assert held < max(days)


def seen(project: Path) -> list[str]:
    return (project / "seen").read_text().splitlines()
