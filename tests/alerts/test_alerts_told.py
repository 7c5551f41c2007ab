"""From shifted predictions of a real service to a message of a real ``up``."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., tuple[int, str, str]]


def test_a_shift_is_told_of_once_the_channel_answers_again(
    built: Path, hook: Any, ports: Callable[[int], list[int]], modelyard: Command
) -> None:
    [port] = ports(1)
    with (built / "modelyard.toml").open("a") as settings:
        settings.write(f'\n[console]\nport = {port}\n[alerts.channels.team]\nvariable = "TEAM"\n')
    assert modelyard("-C", built, "deploy", "test", "screening")[0] == 0
    _ask(built, shift=3.0)
    assert modelyard("-C", built, "monitor", "test", "screening", "--fail")[0] == 1
    found = json.loads(modelyard("-C", built, "alerts", "--json")[1])
    assert "mean_radius" in {alert["column"] for alert in found}
    assert all(alert["told"] for alert in found)

    hook.status = 503
    up = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "-C", str(built), "up"],
        env={**os.environ, "TEAM": hook.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _until(lambda: _notice(modelyard, built, found[0]["id"])["tries"] > 0)
        notice = _notice(modelyard, built, found[0]["id"])
        assert (notice["delivered"], notice["problem"]) == (None, "the channel team did not take it")
        assert modelyard("-C", built, "monitor", "test", "screening")[0] == 0, "nothing waits for a channel"
        hook.status = 200
        _until(lambda: hook.taken)
        _until(lambda: _notice(modelyard, built, found[0]["id"])["delivered"])
    finally:
        up.send_signal(signal.SIGTERM)
        output, _ = up.communicate(timeout=60)
    assert up.returncode == 0, output
    assert "s3cret" not in output
    [message] = hook.taken
    assert message["title"].startswith("screening in test: ")
    assert modelyard("-C", built, "alerts", "silence", "1", "--for", "4h", "--reason", "known")[0] == 0
    assert "silenced to" in modelyard("-C", built, "alerts")[1]
    assert modelyard("-C", built, "alerts", "resolve", "1")[0] == 0
    assert modelyard("-C", built, "alerts", "resolve", "1")[0] == 2
    assert modelyard("-C", built, "alerts", "show", "999")[0] == 2
    assert modelyard("-C", built, "alerts", "test")[0] == 3, "its variable is not set here"


def _ask(folder: Path, *, shift: float) -> None:
    with (folder / "data" / "patients.csv").open() as file:
        rows = list(csv.DictReader(file))[:120]
    sent = [
        {
            name: float(value) * (shift if name == "mean_radius" else 1)
            for name, value in row.items()
            if _number(value)
        }
        for row in rows
    ]
    for row in sent:
        row.pop("patient_id", None)
    section = (folder / "modelyard.toml").read_text().split("[environments.test]")[1]
    address = f"http://127.0.0.1:{section.split('port = ')[1].split()[0]}/models/screening/predict"
    body = json.dumps({"rows": sent}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _notice(modelyard: Command, folder: Path, alert: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(modelyard("-C", folder, "alerts", "show", str(alert))[1])["notices"][0]
    return found


def _until(check: Callable[[], Any], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)
