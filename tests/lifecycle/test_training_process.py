"""Trainings that go wrong, through the command line: one sentence, on record with their log, nothing lost."""

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
HEAD = "import os, sys, time\nfrom sklearn.linear_model import LogisticRegression\n"
FIT = "    return LogisticRegression(max_iter=5000).fit(data.features, data.target)\n"


def write(project: Path, *lines: str, settings: str = "", end: str = FIT) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    (project / "models/screening/model.py").write_text(f"{HEAD}def train(data, params):\n{body}{end}")
    file = project / "modelyard.toml"
    text = file.read_text()
    file.write_text(text.replace("[models.screening]", f"[models.screening]\n{settings}", 1))


def runs(modelyard: Command, project: Path) -> list[dict[str, Any]]:
    code, output, complaint = modelyard("-C", project, "runs", "--json")
    assert code == 0, complaint
    found: list[dict[str, Any]] = json.loads(output)
    return found


@pytest.mark.parametrize(
    ("lines", "settings", "says"),
    [
        (
            ["os._exit(4)"],
            "",
            "'train' ended its process with exit code 4 at models/screening/model.py, line 5 (",
        ),
        (["os.kill(os.getpid(), 9)"], "", "'train' was killed from outside (SIGKILL)"),
        (["while True: pass"], 'timeout = "10s"', "did not end within the 10 seconds"),
        (
            ["bytearray(10**10)"],
            "memory_gb = 0.5",
            "line 5 ('bytearray(10**10)'): MemoryError; the settings give",
        ),
    ],
)
def test_a_training_that_ends_badly_is_a_failed_run_with_its_log(
    modelyard: Command, built: Path, lines: list[str], settings: str, says: str
) -> None:
    write(built, "print('epoch 1')", *lines, settings=settings)
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 1, complaint
    assert says in complaint
    assert len(complaint.strip().splitlines()) == 1
    failed, first = runs(modelyard, built)
    assert (failed["status"], first["status"]) == ("failed", "finished")
    assert failed["error"] in complaint
    assert failed["resources"]["peak_bytes"] > 0
    assert (built / ".modelyard/artifacts" / failed["log"][:2] / failed["log"][2:]).read_text() == "epoch 1\n"
    assert list((built / ".modelyard/runs").iterdir()) == []
    assert modelyard("-C", built, "doctor")[0] == 0


def test_ctrl_c_ends_the_training_and_what_it_started(modelyard: Command, built: Path) -> None:
    pids = built / "pids"
    write(
        built,
        "import subprocess",
        "child = subprocess.Popen(['sleep', '600'])",
        f"print('begun'); open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')",
        "time.sleep(600)",
    )
    process, ids = begun(built, pids)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint.decode().strip() == "modelyard: stopped by Ctrl-C; what was finished is kept"
    assert not any(alive(pid) for pid in ids)
    failed = runs(modelyard, built)[0]
    assert (failed["status"], failed["error"]) == ("failed", "interrupted")
    assert failed["log"]


@pytest.mark.parametrize("by", ["train", "gc"])
def test_a_killed_command_leaves_a_lost_run_that_is_recorded_later(
    modelyard: Command, built: Path, by: str
) -> None:
    pids = built / "pids"
    write(
        built,
        f"print('begun'); open({str(pids)!r}, 'w').write(f'{{os.getpid()}} ')",
        "time.sleep(600)",
    )
    process, ids = begun(built, pids)
    assert runs(modelyard, built)[0]["status"] == "running"
    process.kill()
    process.communicate()
    for _ in range(500):
        if not any(alive(pid) for pid in ids):
            break
        time.sleep(0.02)
    assert not any(alive(pid) for pid in ids)
    lost = runs(modelyard, built)[0]
    assert lost["status"] == "lost"
    code, output, _ = modelyard("-C", built, "doctor")
    assert code == 0
    assert f"Run {lost['id']} of screening" in output
    write(built)
    if by == "gc":
        assert modelyard("-C", built, "gc", "--dry-run")[0] == 0
        assert runs(modelyard, built)[0]["status"] == "lost"
        assert modelyard("-C", built, "gc")[0] == 0
    else:
        assert modelyard("-C", built, "train", "screening")[0] == 0
    *newer, settled, first = runs(modelyard, built)
    assert [r["status"] for r in newer] == [] if by == "gc" else ["finished"]
    assert (settled["status"], first["status"]) == ("failed", "finished")
    assert settled["error"] == "its process was ended from outside"
    assert settled["log"]
    assert list((built / ".modelyard/runs").iterdir()) == []
    assert lost["id"] not in modelyard("-C", built, "doctor")[1]


def test_an_edit_while_it_trains_is_refused(modelyard: Command, built: Path) -> None:
    write(built, "open(__file__, 'a').write('# changed\\n')")
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 1
    assert "The code of screening was edited while it was trained" in complaint


def test_code_and_paths_are_those_of_the_project_wherever_the_command_runs(
    modelyard: Command, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(built, "assert os.path.exists('data/patients.csv')")
    assert modelyard("-C", built, "train", "screening")[0] == 0


def begun(project: Path, pids: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """``train`` in a process of its own, once the author's code runs; and the pids that this wrote."""
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "train", "screening"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not (pids.exists() and pids.read_text().endswith(" ")):
        assert process.poll() is None
        time.sleep(0.02)
    return process, [int(pid) for pid in pids.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
