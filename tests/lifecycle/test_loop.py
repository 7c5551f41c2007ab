"""The loop with real processes: triggers decide, a retraining builds, a canary judges; killed, it goes on."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import shutil
import signal
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
QUICK = """
[models.screening.evaluation]
baselines = false
importance = false
stability = false
search = false
footprint = false
"""
TRIGGERS = """
[triggers.screening]
on = ["new_data", "code", "drift"]
deploy_to = "test"
policy = { cool_down = "1s", most_a_week = 20 }
champion = { margin = 0.05 }
"""


@pytest.fixture(scope="module")
def live_once(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project whose last rows are held back in ``later.csv``; not to be changed."""
    folder = tmp_path_factory.mktemp("loop") / "screening"
    shutil.copytree(built_once, folder)
    table = folder / "data" / "patients.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-HELD]))
    (folder / "later.csv").write_text("".join(lines[-HELD:-1]))  # with the last, it would be version 1 again
    settings = folder / "modelyard.toml"
    text = re.sub(r"roc_auc = \{[^}]*\}", "roc_auc = { min = 0.3 }", settings.read_text())
    settings.write_text(text + QUICK)
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


def ask(folder: Path, rows: list[dict[str, float]]) -> Counter[str]:
    """Which version answered, or which error, of one request a row."""
    port = int(
        re.search(r"\[environments.test\][^\[]*?port = (\d+)", (folder / "modelyard.toml").read_text())[1]
    )  # type: ignore[index]
    seen: Counter[str] = Counter()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as door:
        for row in rows:
            door.request("POST", "/models/screening/predict", json.dumps({"rows": [row]}))
            answer = json.loads(door.getresponse().read())
            seen[answer.get("model_id") or answer["error"]["code"]] += 1
    return seen


def patients(folder: Path, count: int, seed: int = 0) -> list[dict[str, float]]:
    lines = (folder / "data" / "patients.csv").read_text().splitlines()
    names = lines[0].split(",")
    chance = random.Random(seed)
    table = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    aside = {"patient_id", "diagnosis"}
    return [{k: float(v) for k, v in chance.choice(table).items() if k not in aside} for _ in range(count)]


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


def test_new_rows_lead_to_a_canary_and_to_a_live_version(modelyard: Command, live: Path) -> None:
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


def test_a_challenger_that_is_worse_is_not_registered(modelyard: Command, live: Path) -> None:
    set_up(live)
    before = versions(modelyard, live)
    spoil(live)
    found = pursued(modelyard, live)
    assert found["decision"]["fired"][0]["kind"] == "code"
    assert found["retraining"]["outcome"] == "refused"
    assert "beside the live version of test" in found["retraining"]["said"]
    assert versions(modelyard, live) == before
    time.sleep(1)
    found = pursued(modelyard, live)
    assert found["decision"]["why"] in ("nothing", "built"), "the same build is not tried again"
    assert modelyard("-C", live, "trigger", "--fail")[0] == 0


def spoil(folder: Path) -> None:
    """A model that learns nearly nothing: it still passes its own tests."""
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
