"""The way through with real processes: build, deploy, answer, notice, roll back."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]


def test_a_second_build_does_nothing(modelyard: Command, built: Path) -> None:
    code, output, complaint = modelyard("-C", built, "build")
    assert code == 0, complaint
    assert output.count("unchanged") == 5
    assert modelyard("-C", built, "versions", "--json")[1].count('"number"') == 1


def test_an_unchanged_build_loads_nothing_heavy(built: Path) -> None:
    program = (
        "import sys; from modelyard.cli.run import run;"
        f"code = run(['-C', {str(built)!r}, 'build']);"
        "heavy = {'sklearn', 'polars', 'pandas', 'dbos', 'alembic', 'onnxruntime'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_changed_parameter_is_a_new_version(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    text = settings.read_text()
    settings.write_text(text.replace("[models.screening]", "[models.screening]\nparams = { C = 0.3 }"))
    assert modelyard("-C", built, "build")[0] == 0
    settings.write_text(text)
    code, output, complaint = modelyard("-C", built, "build")
    assert code == 0, complaint
    assert "screening@1" in output
    versions = json.loads(modelyard("-C", built, "versions", "--json")[1])
    assert [v["number"] for v in versions] == [1, 2]


def test_deploy_answer_status_stop(modelyard: Command, built: Path) -> None:
    code, output, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 0, complaint
    assert "application tests" in output
    status, answer = ask(built, "test", golden(built)["rows"][:2])
    assert status == 200
    assert answer["status"] == "ok"
    assert answer["model_id"] == "screening/test/1"
    assert answer["classes"] == ["benign", "malignant"]
    assert answer["prediction"] == golden(built)["prediction"][:2]
    assert modelyard("-C", built, "status", "--json")[1].count('"answering": true') == 1
    assert "already" in modelyard("-C", built, "deploy", "test")[1]
    assert modelyard("-C", built, "stop", "test")[0] == 0
    assert '"answering": true' not in modelyard("-C", built, "status", "--json")[1]
    assert modelyard("-C", built, "doctor")[0] == 0
    assert "application tests" in modelyard("-C", built, "deploy", "test")[1]
    assert [r["status"] for r in releases(modelyard, built)] == ["live", "stopped"]


def test_a_service_that_ended_by_itself_is_started_again(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    state = json.loads((built / ".modelyard" / "services" / "test" / "state.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while modelyard("-C", built, "doctor")[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    code, output, _ = modelyard("-C", built, "doctor")
    assert code == 1
    assert "modelyard deploy test screening@1" in output
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0
    assert modelyard("-C", built, "doctor")[0] == 0
    assert [r["status"] for r in releases(modelyard, built)] == ["live"]


def test_a_service_without_workers_does_not_answer(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    told = built / ".modelyard" / "services" / "test" / "state.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "workers": []}))
    assert '"answering": true' not in modelyard("-C", built, "status", "--json")[1]
    assert modelyard("-C", built, "doctor")[0] == 1


def test_a_deploy_of_what_is_live_takes_new_settings_on(
    modelyard: Command, built: Path, free_port: int
) -> None:
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    settings, rows = built / "modelyard.toml", golden(built)["rows"][:1]
    (built / "tokens").write_text("a token that nobody guesses\n")
    place = f"port = {port_of(built, 'test')}\n"
    settings.write_text(settings.read_text().replace(place, place + 'token_file = "tokens"\n'))
    assert "already" in modelyard("-C", built, "deploy", "test")[1]
    deadline = time.monotonic() + 10
    while ask(built, "test", rows)[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ask(built, "test", rows)[0] == 401
    settings.write_text(settings.read_text().replace(place, f"port = {free_port}\n"))
    assert str(free_port) in modelyard("-C", built, "deploy", "test")[1]
    assert ask(built, "test", rows)[0] == 401


def test_two_rollbacks_walk_back(modelyard: Command, built: Path) -> None:
    second_version(modelyard, built, 0.3)
    second_version(modelyard, built, 0.1)
    for version in (1, 2, 3):
        words = ("deploy", "test", f"screening@{version}", "--reason", "as planned")
        assert modelyard("-C", built, *words)[0] == 0
    for version in (2, 1):
        assert modelyard("-C", built, "rollback", "test", "screening", "--reason", "alerts")[0] == 0
        newest = releases(modelyard, built)[0]
        assert newest["reason"] == f"rollback to release {version}: alerts"
        assert (newest["dataset"], len(newest["run"])) == ("patients@1", 12)
        assert ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] == f"screening/test/{version}"
    code, _, complaint = modelyard("-C", built, "rollback", "test", "screening")
    assert code == 2, complaint
    assert modelyard("-C", built, "doctor")[0] == 0


def test_no_request_fails_while_versions_switch(modelyard: Command, built: Path) -> None:
    second_version(modelyard, built)
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0
    load = Load(built, golden(built)["rows"])
    load.start()
    assert modelyard("-C", built, "deploy", "test", "screening@2")[0] == 0
    assert modelyard("-C", built, "rollback", "test", "screening")[0] == 0
    assert modelyard("-C", built, "deploy", "test", "screening@2")[0] == 0
    load.end()
    assert load.failures == []
    assert load.answered > 1000
    assert {"screening/test/1", "screening/test/2"} == load.seen


def test_a_canary_and_a_shadow_are_tried_and_ended_without_a_failed_request(
    modelyard: Command, built: Path
) -> None:
    second_version(modelyard, built)
    code, _, complaint = modelyard("-C", built, "deploy", "test", "screening@2", "--canary", "10%")
    assert code == 2, complaint
    assert "Nothing of screening is live" in complaint
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0
    load = Load(built, golden(built)["rows"])
    load.start()
    code, output, complaint = modelyard("-C", built, "deploy", "test", "screening@2", "--canary", "50%")
    assert code == 0, complaint
    assert "screening@2 is a canary for 50 % of requests" in output
    assert "already" in modelyard("-C", built, "deploy", "test", "screening@2", "--canary", "50%")[1]
    seen = {ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] for _ in range(40)}
    assert seen == {"screening/test/1", "screening/test/2/canary"}
    code, output, _ = modelyard("-C", built, "rollback", "test", "screening")
    assert code == 0
    assert "ends the canary of screening@2" in output
    seen = {ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] for _ in range(20)}
    assert seen == {"screening/test/1"}
    assert modelyard("-C", built, "deploy", "test", "screening@2", "--shadow")[0] == 0
    assert ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] == "screening/test/1"
    assert modelyard("-C", built, "deploy", "test", "screening@2")[0] == 0
    assert ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] == "screening/test/2"
    load.end()
    assert load.failures == []
    statuses = [r["status"] for r in releases(modelyard, built)]
    assert statuses == ["live", "ended", "replaced", "ended", "replaced"]
    assert modelyard("-C", built, "rollback", "test", "screening")[0] == 0
    assert ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] == "screening/test/1"
    assert modelyard("-C", built, "doctor")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--canary", "0"),
        ("--canary", "100%"),
        ("--canary", "many"),
        ("--canary", "nan"),
        ("--canary", "10%", "--shadow"),
        ("--sticky", "X-User"),
        ("--canary", "10%", "--sticky", "X User"),
    ],
)
def test_a_trial_that_is_none_is_refused(
    modelyard: Command, built_once: Path, words: tuple[str, ...]
) -> None:
    code, _, complaint = modelyard("-C", built_once, "deploy", "test", "screening@1", *words)
    assert code == 2, complaint


def test_a_failed_candidate_leaves_the_live_one(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    tests = built / "models" / "screening" / "test_model.py"
    tests.write_text(tests.read_text() + '\nPAYLOADS = [{"rows": [{"nonsense": 1}], "status": 200}]\n')
    code, _, complaint = modelyard("-C", built, "build")
    assert code == 0, complaint
    code, _, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 1
    assert "payload 1" in complaint
    status, answer = ask(built, "test", golden(built)["rows"][:1])
    assert (status, answer["model_id"]) == (200, "screening/test/1")
    assert [r["status"] for r in releases(modelyard, built)] == ["failed", "live"]
    assert modelyard("-C", built, "doctor")[0] == 0


@pytest.mark.parametrize("delay", [0.3, 0.9, 1.6, 2.4])
def test_a_killed_build_is_completed_by_the_next(modelyard: Command, built: Path, delay: float) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(
        settings.read_text().replace("[models.screening]", "[models.screening]\nparams = { C = 0.3 }")
    )
    kill_after(delay, "-C", str(built), "build")
    code, _, complaint = modelyard("-C", built, "build")
    assert code == 0, complaint
    versions = json.loads(modelyard("-C", built, "versions", "--json")[1])
    assert [v["number"] for v in versions] == [1, 2]
    assert modelyard("-C", built, "audit", "verify")[0] == 0
    assert modelyard("-C", built, "doctor")[0] == 0


@pytest.mark.parametrize("delay", [0.4, 0.8, 1.2, 1.6])
def test_a_killed_deploy_is_completed_by_the_next(modelyard: Command, built: Path, delay: float) -> None:
    second_version(modelyard, built)
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0
    kill_after(delay, "-C", str(built), "deploy", "test", "screening@2")
    status, _ = ask(built, "test", golden(built)["rows"][:1])
    assert status == 200
    code, _, complaint = modelyard("-C", built, "deploy", "test", "screening@2")
    assert code == 0, complaint
    assert ask(built, "test", golden(built)["rows"][:1])[1]["model_id"] == "screening/test/2"
    assert modelyard("-C", built, "doctor")[0] == 0


def test_a_killed_deploy_leaves_no_candidate_behind(built: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "modelyard", "-C", str(built), "deploy", "test"])
    until = time.monotonic() + 30
    while not (told := list(built.glob(".modelyard/scratch/candidate-*/state.json"))):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    supervisor = Path("/proc", str(json.loads(told[0].read_bytes())["pid"]), "cmdline")
    assert b"scratch/candidate-" in supervisor.read_bytes()
    process.kill()
    process.wait()
    while supervisor.exists() and b"scratch/candidate-" in supervisor.read_bytes():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_two_deploys_at_once(built: Path, modelyard: Command) -> None:
    second_version(modelyard, built)
    words = [sys.executable, "-m", "modelyard", "-C", str(built), "deploy", "test"]
    both = [subprocess.Popen([*words, f"screening@{n}"], stderr=subprocess.PIPE) for n in (1, 2)]
    for process in both:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    live = json.loads(modelyard("-C", built, "releases", "test", "--json")[1])
    assert sorted(r["status"] for r in live) == ["live", "replaced"]
    assert modelyard("-C", built, "doctor")[0] == 0


def test_the_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "demo", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "every link holds" in done.stdout
    assert re.search(r"rolled back in \d+\.\d+ s; \d{3,} requests meanwhile, 0 failed", done.stdout)
    assert "modelyard review screening@1 --for sme" in done.stderr
    assert "retraining 1 ended, live: screening@2 is live in prod" in done.stdout


def releases(modelyard: Command, project: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(modelyard("-C", project, "releases", "test", "--json")[1])
    return found


def second_version(modelyard: Command, project: Path, strength: float = 0.3) -> None:
    settings = project / "modelyard.toml"
    text = re.sub(r"\nparams = .*", "", settings.read_text())
    settings.write_text(
        text.replace("[models.screening]", f"[models.screening]\nparams = {{ C = {strength} }}")
    )
    code, _, complaint = modelyard("-C", project, "build")
    assert code == 0, complaint


def kill_after(seconds: float, *words: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def golden(project: Path) -> dict[str, Any]:
    path = next((project / ".modelyard" / "packages").glob("*/golden.json"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def port_of(project: Path, environment: str) -> int:
    section = (project / "modelyard.toml").read_text().split(f"[environments.{environment}]")[1]
    return int(section.split("port = ")[1].split()[0])


def ask(project: Path, environment: str, rows: list[Any]) -> tuple[int, Any]:
    door = http.client.HTTPConnection("127.0.0.1", port_of(project, environment), timeout=10)
    try:
        door.request("POST", "/models/screening/predict", json.dumps({"rows": rows}))
        answer = door.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        door.close()


class Load(threading.Thread):
    """Asks without pause, over new connections and a kept one in turn."""

    def __init__(self, project: Path, rows: list[Any]) -> None:
        super().__init__(daemon=True)
        self._project, self._rows = project, rows
        self._port = port_of(project, "test")
        self._ended = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self.seen: set[str] = set()

    def run(self) -> None:
        kept = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._ended.is_set():
            row = self._rows[self.answered % len(self._rows)]
            try:
                if self.answered % 5 == 0:
                    status, answer = ask(self._project, "test", [row])
                else:
                    kept.request("POST", "/models/screening/predict", json.dumps({"rows": [row]}))
                    reply = kept.getresponse()
                    status, answer = reply.status, json.loads(reply.read())
                if status != 200:
                    self.failures.append(f"{status}: {answer}")
                else:
                    self.seen.add(answer["model_id"])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                kept = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            self.answered += 1
        kept.close()

    def end(self) -> None:
        self._ended.set()
        self.join()
