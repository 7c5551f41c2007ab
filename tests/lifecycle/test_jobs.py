"""Jobs with real processes: from a snapshot, through kill -9, to the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own, ended after the test."""
    processes = []

    def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def until(check: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


def jobs(modelyard: Command, folder: Path) -> list[dict[str, Any]]:
    code, output, errors = modelyard("-C", folder, "jobs", "--json")
    assert code == 0, errors
    found: list[dict[str, Any]] = json.loads(output)
    return found


def slow(folder: Path, seconds: float, *, tolerance: str = "1e-3") -> None:
    """Another model, which takes its time to train."""
    [code] = folder.glob("models/*/model.py")
    text = code.read_text().replace("max_iter=1000", f"max_iter=1000, tol={tolerance}")
    code.write_text(
        text.replace("    model = make", f"    import time\n\n    time.sleep({seconds})\n    model = make")
    )


@pytest.fixture
def built(built: Path, plain_reports: str) -> Path:
    settings = built / "modelyard.toml"
    head = "[models.screening]\n"
    settings.write_text(settings.read_text().replace(head, head + plain_reports))
    return built


def test_a_build_is_of_the_files_as_they_were_asked_for_and_outlives_its_workers(
    built: Path, modelyard: Command, begun: Callable[..., subprocess.Popen[str]]
) -> None:
    slow(built, 2.0)
    assert modelyard("-C", built, "jobs", "add", "build")[0] == 0
    [code] = built.glob("models/*/model.py")
    code.write_text("raise RuntimeError('not what was asked for')\n")
    for _ in range(2):  # killed while it trains: the next one takes the job over at once
        worker = begun(built, "worker")
        tries = jobs(modelyard, built)[0]["tries"]
        until(lambda before=tries: jobs(modelyard, built)[0]["tries"] > before)
        time.sleep(1.0)
        worker.kill()
        worker.wait()
    last = begun(built, "worker", "--until-idle")
    output, _ = last.communicate(timeout=120)
    assert last.returncode == 0, output
    [job] = jobs(modelyard, built)
    assert (job["state"], job["lost"], job["result"]) == ("done", 2, "screening@2"), job
    code_, output, _ = modelyard("-C", built, "versions", "--json")
    assert code_ == 0
    assert [version["number"] for version in json.loads(output)] == [1, 2]
    assert "screening@2" in modelyard("-C", built, "jobs", "logs", str(job["id"]))[1]
    assert list((built / ".modelyard" / "jobs").iterdir()) == []
    assert modelyard("-C", built, "gc", "--dry-run")[0] == 0


def test_a_running_build_is_cancelled_and_done_again(
    built: Path, modelyard: Command, begun: Callable[..., subprocess.Popen[str]]
) -> None:
    slow(built, 60.0)
    modelyard("-C", built, "jobs", "add", "build")
    worker = begun(built, "worker")
    until(lambda: _trains(built))
    code, output, errors = modelyard("-C", built, "jobs", "cancel", "1")
    assert code == 0, errors
    assert "ended by its worker" in output
    until(lambda: jobs(modelyard, built)[0]["state"] == "cancelled", 30)
    until(lambda: not _trains(built), 30)
    assert modelyard("-C", built, "jobs", "cancel", "1")[0] == 0, "a repeat changes nothing"
    assert modelyard("-C", built, "jobs", "retry", "1")[0] == 0
    until(lambda: jobs(modelyard, built)[0]["state"] == "running", 30)
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, output
    [job] = jobs(modelyard, built)
    assert (job["state"], job.get("lost", 0)) == ("queued", 0), "it was given back"


def test_a_build_that_is_a_no_is_not_tried_again(built: Path, modelyard: Command) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text().replace("min = 0.95", "min = 1.1"))
    modelyard("-C", built, "jobs", "add", "build")
    code, output, errors = modelyard("-C", built, "worker", "--until-idle")
    assert code == 0, output + errors
    [job] = jobs(modelyard, built)
    assert (job["state"], job["tries"]) == ("failed", 1)
    assert "roc_auc" in job["reason"]
    assert modelyard("-C", built, "jobs", "logs", "7")[0] == 2
    assert modelyard("-C", built, "jobs", "add", "monitor")[0] == 2
    assert modelyard("-C", built, "jobs", "add", "build", "nobody")[0] == 2
    assert modelyard("-C", built, "jobs", "perform", "1")[0] == 2


def test_up_keeps_services_running_and_looks_at_windows(
    built: Path,
    modelyard: Command,
    begun: Callable[..., subprocess.Popen[str]],
    ports: Callable[[int], list[int]],
) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text().replace('window = "1h"', 'window = "2s"'))
    assert modelyard("-C", built, "deploy", "test", "screening")[0] == 0
    service = built / ".modelyard" / "services" / "test"
    up = begun(built, "up")
    until(lambda: jobs(modelyard, built), 60)
    port = json.loads((service / "plan.json").read_text())["port"]
    moved = next(one for one in ports(5) if f"port = {one}" not in settings.read_text())
    settings.write_text(settings.read_text().replace(f"port = {port}", f"port = {moved}"))
    os.kill(json.loads((service / "state.json").read_text())["pid"], signal.SIGKILL)
    until(lambda: json.loads((service / "plan.json").read_text())["port"] == moved, 60)
    until(lambda: modelyard("-C", built, "status", "--json")[1].count('"answering": true') == 1, 60)
    until(lambda: [j for j in jobs(modelyard, built) if j["state"] == "done"], 60)
    second = begun(built, "up")
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "already" in output
    up.send_signal(signal.SIGINT)
    output, _ = up.communicate(timeout=60)
    assert up.returncode == 0, output
    assert {j["asked"]["kind"] for j in jobs(modelyard, built)} == {"monitor"}
    windows = json.loads(modelyard("-C", built, "monitor", "test", "--history", "--json")[1])
    starts = sorted(window["start"] for window in windows)
    assert len(starts) == len(set(starts)) > 0, "no window twice"


def test_parts_of_up_end_with_it_however_it_ended(
    built: Path, begun: Callable[..., subprocess.Popen[str]]
) -> None:
    up = begun(built, "up")
    parts = until(lambda: [p for p in _family(up.pid) if p != up.pid] if len(_family(up.pid)) > 2 else [], 30)
    up.kill()
    up.wait()
    until(lambda: not [pid for pid in parts if _lives(pid)], 30)


def test_a_snapshot_is_the_same_for_the_same_files(built: Path, tmp_path: Path, modelyard: Command) -> None:
    modelyard("-C", built, "jobs", "add", "build")
    other = tmp_path / "other" / "screening"
    shutil.copytree(built, other, ignore=shutil.ignore_patterns(".modelyard"))
    shutil.copytree(built / ".modelyard", other / ".modelyard")
    modelyard("-C", other, "jobs", "cancel", "1")
    modelyard("-C", other, "jobs", "add", "build")
    found = [job["asked"]["snapshot"] for job in jobs(modelyard, other)]
    assert len(found) == 2
    assert len(set(found)) == 1


def _family(pid: int) -> list[int]:
    from modelyard.training.processes import family

    return family(pid)


def _trains(folder: Path) -> bool:
    return any((folder / ".modelyard" / "runs").glob("*/*"))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
