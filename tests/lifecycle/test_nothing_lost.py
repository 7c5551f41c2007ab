"""Killed workers and full disks: what was acknowledged is kept, and running it again completes."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard import monitoring

Command = Callable[..., tuple[int, str, str]]


def test_no_acknowledged_prediction_is_lost_when_every_worker_is_killed(
    modelyard: Command, built: Path
) -> None:
    settings = built / "modelyard.toml"
    text = settings.read_text().replace("[environments.test] ", "[environments.test]\nworkers = 2 ")
    settings.write_text(text)
    code, _, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 0, complaint
    port = int(text.split("[environments.test]")[1].split("port = ")[1].split()[0])
    rows = json.loads(next((built / ".modelyard" / "packages").glob("*/golden.json")).read_text())["rows"]
    state = built / ".modelyard" / "services" / "test" / "state.json"
    ended = threading.Event()
    clients = [_Client(port, rows, ended) for _ in range(4)]
    for client in clients:
        client.start()
    killed = 0
    for _ in range(3):
        time.sleep(0.7)
        for pid in json.loads(state.read_text())["workers"]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    time.sleep(1.5)
    ended.set()
    for client in clients:
        client.join()
    acknowledged = {request for client in clients for request in client.acknowledged}
    assert killed >= 4
    assert len(acknowledged) > 1000
    answered_last = max(client.last for client in clients)
    assert answered_last > time.monotonic() - 5, "no worker came back"
    log = built / ".modelyard" / "predictions" / "test"
    tables = built / ".modelyard" / "artifacts" / "tables"
    monitoring.collect(log, tables, environment="test")
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    logged = monitoring.window(
        tables, log, environment="test", model="screening", start=now - hour, end=now + hour
    )
    ids = logged["request_id"].to_list()
    assert acknowledged - set(ids) == set()
    assert len(ids) == len(set(ids))


class _Client(threading.Thread):
    """Asks without pause and remembers what was acknowledged; a broken connection is opened again."""

    def __init__(self, port: int, rows: list[object], ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._rows, self._ended = port, rows, ended
        self.acknowledged: list[str] = []
        self.last = 0.0

    def run(self) -> None:
        door = self._door()
        while not self._ended.is_set():
            try:
                door.request("POST", "/models/screening/predict", json.dumps({"rows": self._rows[:1]}))
                reply = door.getresponse()
                answer = json.loads(reply.read())
            except (OSError, http.client.HTTPException):
                door.close()
                door = self._door()
                time.sleep(0.01)
                continue
            if reply.status == 200:
                self.acknowledged.append(answer["request_id"])
                self.last = time.monotonic()
        door.close()

    def _door(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk of its own needs root and the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("spare", [4_000, 40_000, 120_000, 250_000])
def test_a_full_disk_stops_the_build_and_more_room_completes_it(
    modelyard: Command, built: Path, small_disk: Path, spare: int
) -> None:
    project = small_disk / "screening"
    shutil.copytree(built, project, ignore=shutil.ignore_patterns("packages", "reports"))
    settings = project / "modelyard.toml"
    settings.write_text(
        settings.read_text().replace("[models.screening]", "[models.screening]\nparams = { C = 0.3 }")
    )
    with (project / "data" / "patients.csv").open("a") as table:
        table.write(
            (project / "data" / "patients.csv").read_text().splitlines()[1].replace("P", "Q", 1) + "\n"
        )
    ballast = project / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(b"\0" * max(0, free - spare))
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "-C", str(project), "build"], capture_output=True, text=True
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.startswith("modelyard: ")
    assert len(done.stderr.strip().splitlines()) == 1
    ballast.unlink()
    code, _, complaint = modelyard("-C", project, "build")
    assert code == 0, complaint
    assert modelyard("-C", project, "audit", "verify")[0] == 0
    code, output, _ = modelyard("-C", project, "doctor")
    assert code == 0, output
