"""The loop with real processes: triggers decide, a retraining builds, a canary judges; killed, it goes on."""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
MODELYARD = [sys.executable, "-m", "modelyard"]
HELD = 150
SHIFTED = ("mean_radius", "mean_texture", "worst_area")
TRIGGERS = """
[triggers.screening]
on = ["new_data", "code", "drift"]
deploy_to = "test"
policy = { cool_down = "3s", most_a_week = 1 }
champion = { margin = 0.05 }
"""


@pytest.fixture(scope="module")
def live_once(built_once: Path, tmp_path_factory: pytest.TempPathFactory, plain_reports: str) -> Path:
    """A built project whose last rows are held back in ``later.csv``; not to be changed."""
    folder = tmp_path_factory.mktemp("loop") / "screening"
    shutil.copytree(built_once, folder)
    table = folder / "data" / "patients.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-HELD]))
    (folder / "later.csv").write_text("".join(lines[-HELD:-1]))  # with the last, it would be version 1 again
    settings = folder / "modelyard.toml"
    text = re.sub(r"roc_auc = \{[^}]*\}", "roc_auc = { min = 0.3 }", settings.read_text())
    settings.write_text(text.replace("[models.screening]\n", f"[models.screening]\n{plain_reports}"))
    done = subprocess.run([*MODELYARD, "-C", str(folder), "build"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def live(live_once: Path, tmp_path: Path, free_port: int) -> Iterator[Path]:
    """A copy whose newest version is live in ``test``."""
    folder = tmp_path / "screening"
    shutil.copytree(live_once, folder)
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text().replace("port = 8101", f"port = {free_port}"))
    done = subprocess.run([*MODELYARD, "-C", str(folder), "deploy", "test"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield folder
    subprocess.run([*MODELYARD, "-C", str(folder), "stop"], capture_output=True)


def set_up(folder: Path, text: str = TRIGGERS) -> None:
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text() + text)


def more_rows(folder: Path) -> None:
    with (folder / "data" / "patients.csv").open("a") as file:
        file.write((folder / "later.csv").read_text())


Row = dict[str, float]


def ask(folder: Path, rows: list[tuple[Row, str]], told: Path | None = None) -> Counter[str]:
    """Which version answered, or which error, of one request a row; what is true of it is written to ``told``."""
    text = (folder / "modelyard.toml").read_text()
    port = int(re.findall(r"\[environments.test\][^\[]*?port = (\d+)", text)[0])
    seen: Counter[str] = Counter()
    lines = ["request_id,outcome"]
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as door:
        for row, truth in rows:
            door.request("POST", "/models/screening/predict", json.dumps({"rows": [row]}))
            answer = json.loads(door.getresponse().read())
            seen[answer.get("model_id") or answer["error"]["code"]] += 1
            lines.append(f"{answer.get('request_id')},{truth}")
    if told:
        told.write_text("\n".join(lines) + "\n")
    return seen


def patients(folder: Path, count: int, *, shift: float = 0.0, seed: int = 0) -> list[tuple[Row, str]]:
    """Rows with what is true of them; ``shift`` moves three columns by so many standard deviations."""
    with (folder / "data" / "patients.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    chance = random.Random(seed)
    spread = {name: statistics.stdev(float(row[name]) for row in table) for name in SHIFTED}
    found = []
    for row in (chance.choice(table) for _ in range(count)):
        values = {k: float(v) for k, v in row.items() if k not in ("patient_id", "diagnosis")}
        moved = {name: values[name] + shift * spread[name] for name in SHIFTED}
        found.append((values | moved, row["diagnosis"]))
    return found


def pursued(modelyard: Command, folder: Path, *words: str) -> dict[str, Any]:
    code, output, complaint = modelyard("-C", folder, "trigger", "screening", "--json", *words)
    assert code == 0, complaint
    [found] = json.loads(output)
    return dict(found)


def events(modelyard: Command, folder: Path, action: str) -> list[dict[str, Any]]:
    found = json.loads(modelyard("-C", folder, "audit", "--limit", "500", "--action", action, "--json")[1])
    return [event["payload"] for event in found]


def versions(modelyard: Command, folder: Path) -> list[int]:
    return [v["number"] for v in json.loads(modelyard("-C", folder, "versions", "--json")[1])]


def test_new_rows_lead_to_a_canary_and_to_a_live_version(
    modelyard: Command, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there, and nobody is to be asked
    monkeypatch.setenv("no_proxy", "")
    set_up(live, f"{TRIGGERS}canary = {{ steps = [0.5], min_rows = 30 }}\n")
    before = versions(modelyard, live)[-1]
    found = pursued(modelyard, live)
    assert (found["decision"]["verdict"], found["decision"]["why"]) == ("no", "nothing")
    more_rows(live)
    assert pursued(modelyard, live, "--dry-run")["decision"]["why"] == "build"
    assert len(events(modelyard, live, "trigger.decided")) == 1, "a dry run decides nothing"
    found = pursued(modelyard, live)
    assert found["decision"]["verdict"] == "yes"
    assert "canary for 50 %" in found["retraining"]["waits"]
    assert pursued(modelyard, live)["decision"]["why"] == "under_way"
    seen = ask(live, patients(live, 120))
    assert set(seen) == {f"screening/test/{before}", f"screening/test/{before + 1}/canary"}
    found = pursued(modelyard, live)
    assert found["retraining"]["outcome"] == "live", found
    assert "not worse by more than 0.05" in found["retraining"]["said"]
    assert set(ask(live, patients(live, 20))) == {f"screening/test/{before + 1}"}
    [verdict] = events(modelyard, live, "canary.judged")
    assert (verdict["verdict"], verdict["by"], verdict["errors"]) == ("passed", "requests", 0)
    assert verdict["judged"] == seen[f"screening/test/{before + 1}/canary"]
    [*_, newest] = json.loads(modelyard("-C", live, "releases", "test", "--json")[1])[::-1]
    assert "is not seen to be worse" in newest["reason"]
    assert pursued(modelyard, live)["decision"]["why"] == "nothing"
    assert modelyard("-C", live, "audit", "verify")[0] == 0
    assert modelyard("-C", live, "doctor")[0] == 0


def feed_back(modelyard: Command, folder: Path, told: Path) -> None:
    code, _, complaint = modelyard("-C", folder, "feedback", "screening", told, "--environment", "test")
    assert code == 0, complaint


def test_a_shifted_stream_leads_to_a_version_that_learned_from_it(modelyard: Command, live: Path) -> None:
    settings = live / "modelyard.toml"
    settings.write_text(settings.read_text().replace("data/patients.csv", "data/*.csv"))
    set_up(
        live,
        TRIGGERS.replace("policy = {", 'labelled = "data/told.csv"\npolicy = { drift = "retrain",')
        + "canary = { steps = [0.5], min_rows = 30 }\n",
    )
    before = versions(modelyard, live)[-1]
    told = live / "told.csv"
    ask(live, patients(live, 300, shift=1.5), told)
    assert modelyard("-C", live, "monitor", "test", "--fail")[0] == 1, "an alert"
    unlabelled = pursued(modelyard, live)
    assert unlabelled["decision"]["fired"][0]["kind"] == "drift"
    assert unlabelled["retraining"]["outcome"] == "unchanged"
    assert "0 labelled rows" in unlabelled["retraining"]["said"]
    feed_back(modelyard, live, told)
    time.sleep(3)  # the cool-down
    found = pursued(modelyard, live)
    assert "canary for 50 %" in found["retraining"]["waits"], found
    assert len((live / "data" / "told.csv").read_text().splitlines()) == 301
    better, worse = map(
        float, re.findall(r"is ([\d.]+) beside .* with ([\d.]+) on", found["retraining"]["shown"])[0]
    )
    assert better > worse
    seen = ask(live, patients(live, 150, shift=1.5, seed=1), told)
    assert len(seen) == 2
    assert "outcome" not in pursued(modelyard, live)["retraining"], "what was asked is true only later"
    feed_back(modelyard, live, told)
    found = pursued(modelyard, live)
    assert found["retraining"]["outcome"] == "live", found
    [verdict] = events(modelyard, live, "canary.judged")
    assert (verdict["verdict"], verdict["by"]) == ("passed", "outcomes")
    assert verdict["judged"] == seen[f"screening/test/{before + 1}/canary"]
    assert verdict["errors"] <= verdict["live_errors"]
    assert found["decision"]["why"] in ("cool_down", "most_a_week", "nothing")
    calm = ask(live, patients(live, 200, shift=1.5, seed=2))
    assert set(calm) == {f"screening/test/{before + 1}"}
    assert modelyard("-C", live, "doctor")[0] == 0


def test_a_broken_stream_blocks_and_is_never_learned_from(modelyard: Command, live: Path) -> None:
    set_up(live, TRIGGERS.replace("policy = {", 'policy = { drift = "retrain",'))
    before = versions(modelyard, live)
    ask(
        live,
        [({**row, "mean_radius": row["mean_radius"] * 1000}, truth) for row, truth in patients(live, 200)],
    )
    more_rows(live)
    for words in ((), ("--now",)):
        found = pursued(modelyard, live, *words)
        assert (found["decision"]["verdict"], found["decision"]["why"]) == ("block", "data_quality"), found
        assert found["retraining"] is None
    assert modelyard("-C", live, "trigger", "--fail")[0] == 1
    assert versions(modelyard, live) == before
    assert events(modelyard, live, "retraining") == []


def test_a_challenger_that_errs_more_is_rolled_back_by_itself(modelyard: Command, live: Path) -> None:
    set_up(
        live,
        TRIGGERS.replace("margin = 0.05", "margin = 1.0") + "canary = { steps = [0.5], min_rows = 400 }\n",
    )
    before = versions(modelyard, live)[-1]
    spoil(live)
    found = pursued(modelyard, live)
    assert f"screening@{before + 1} is a canary" in found["retraining"].get("waits", ""), found
    told = live / "told.csv"
    ask(live, patients(live, 200), told)
    feed_back(modelyard, live, told)
    found = pursued(modelyard, live)
    assert found["retraining"]["outcome"] == "rolled_back", found
    assert "is worse than what is live" in found["retraining"]["said"]
    assert set(ask(live, patients(live, 30))) == {f"screening/test/{before}"}
    newest = json.loads(modelyard("-C", live, "releases", "test", "--json")[1])[0]
    assert newest["version"] == before
    assert "ends the canary" in newest["reason"]
    assert "wrong" in newest["reason"]
    assert modelyard("-C", live, "doctor")[0] == 0


def test_a_challenger_that_is_worse_is_not_registered(modelyard: Command, live: Path) -> None:
    set_up(live)
    before = versions(modelyard, live)
    spoil(live)
    found = pursued(modelyard, live)
    assert found["decision"]["fired"][0]["kind"] == "code"
    assert found["retraining"]["outcome"] == "refused"
    assert "beside the live version of test" in found["retraining"]["said"]
    assert versions(modelyard, live) == before
    time.sleep(3)
    found = pursued(modelyard, live)
    assert found["decision"]["why"] == "nothing", "the same build is not tried again"
    assert modelyard("-C", live, "trigger", "--fail")[0] == 0


def spoil(folder: Path) -> None:
    """A model that learns nothing, and tests that do not notice."""
    tests = folder / "models" / "screening" / "test_model.py"
    tests.write_text(tests.read_text().replace(', "prediction": ["benign", "malignant"]', ""))
    model = folder / "models" / "screening" / "model.py"
    text = model.read_text()
    changed = text.replace(
        "model.fit(data.features, data.target)", "model.fit(data.features * 0, data.target)"
    )
    assert changed != text
    model.write_text(changed)


def test_a_retraining_killed_ten_times_is_done_once(modelyard: Command, live: Path) -> None:
    set_up(live, f"{TRIGGERS}canary = {{ steps = [] }}\n")
    before = versions(modelyard, live)
    more_rows(live)
    chance = random.Random(5)
    words = [*MODELYARD, "-C", str(live), "trigger", "screening"]
    for _ in range(10):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.4, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    two = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in two] == [0, 0]
    ends = events(modelyard, live, "retraining.ended")
    assert [end["outcome"] for end in ends] == ["live"]
    assert len(events(modelyard, live, "retraining.begun")) == 1
    assert versions(modelyard, live) == [*before, before[-1] + 1]
    finished = [e for e in events(modelyard, live, "run.finished") if e["data"] == "patients@3"]
    assert len(finished) == 1, "one completed build"
    assert modelyard("-C", live, "audit", "verify")[0] == 0
    assert modelyard("-C", live, "doctor")[0] == 0
    assert set(ask(live, patients(live, 5))) == {f"screening/test/{before[-1] + 1}"}
