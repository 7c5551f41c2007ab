"""The counts that Prometheus reads, held against its own checker."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from serving_parts import Running


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not there; apt-get install prometheus")
def test_promtool_has_nothing_to_say(service: Running) -> None:
    assert service.json("POST", "/models/screening/predict", {"rows": [{"age": 50, "size": 3.5}]})[0] == 200
    status, _, metrics = service.ask("GET", "/metrics")
    assert status == 200
    assert b'model_infer_request_success_total{model="screening"' in metrics
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
