"""What a service is like beside its cost a request: start, memory, tail of latency below saturation, a switch under load.

    python benchmarks/serving/shape.py [--seconds 10] [--keep]

Launch to first answer is of ``python -m modelyard.serving`` with a plan of one model, median of seven, beside the
hand-tuned limit's. The tail is that of an open arrival at 70 % of what a closed loop of 64 connections reached just before. The switch is a
deployment of another version while a closed loop of 64 connections asks as fast as it can; every answer must be a 200.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from load import load, request  # noqa: E402
from workloads import TOKEN, Deployed, deployed, modelyard  # noqa: E402

PORT = 8771


def first_answer(command: list[str], port: int, asked: bytes) -> float:
    """Seconds from the launch of a server to its first 200."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(asked)
                    if sock.recv(4096).startswith(b"HTTP/1.1 200"):
                        return time.perf_counter() - begun
            except OSError:
                pass
            time.sleep(0.002)
    finally:
        process.terminate()
        process.wait()


def launches(service: Deployed, folder: Path) -> dict[str, float]:
    home = service.place / ".modelyard/services/test"
    plan = json.loads((home / "plan.json").read_text())
    plan |= {"port": PORT + 1, "models": [m for m in plan["models"] if m["model"] == "lr"]}
    plan |= {"generation": 1, "log": str(folder / "log")}
    found: dict[str, list[float]] = {"service": [], "limit": []}
    rows = {"rows": service.workloads[0].rows}
    for i in range(7):
        place = folder / f"launch-{i}"
        place.mkdir()
        (place / "plan.json").write_text(json.dumps(plan))
        words = [
            "-m",
            "modelyard.serving",
            "--plan",
            str(place / "plan.json"),
            "--state",
            str(place / "state.json"),
        ]
        ours = request("/models/lr/predict", rows, token=TOKEN)
        found["service"].append(first_answer([sys.executable, *words], PORT + 1, ours))
        limit = [sys.executable, str(HERE / "limit.py"), str(PORT + 2), str(service.packages["lr"])]
        found["limit"].append(first_answer(limit, PORT + 2, request("/", rows)))
    return {name: round(statistics.median(each), 3) for name, each in found.items()}


def resident(pid: int) -> dict[str, float]:
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {
        name.lower(): round(int(told.partition(f"\n{name}:")[2].split()[0]) / 1024, 1)
        for name in ("Rss", "Pss")
    }


def tail(service: Deployed, seconds: float) -> dict[str, float]:
    words = ["loadtest", "lr@test", "--json", "--users", "64", "--seconds"]
    full = json.loads(modelyard(service.place, *words, f"{seconds:g}"))["levels"][0]
    rate = round(0.7 * full["answered"] / seconds)
    half = json.loads(modelyard(service.place, *words, f"{seconds:g}", "--rate", str(rate)))["levels"][0]
    return {"rate": rate, **{name: half[name] for name in ("answered", "p50", "p99") if name in half}}


def percentiles(took: list[float]) -> dict[str, float]:
    return {f"p{q:g}_ms": round(float(np.percentile(took, q)) * 1e3, 2) for q in (50, 99, 99.9)}


def switched(service: Deployed, seconds: float) -> dict[str, Any]:
    asked = request("/models/lr/predict", {"rows": service.workloads[0].rows}, token=TOKEN)
    code = service.place / "models/lr/model.py"
    code.write_text(code.read_text().replace("default=1.0", "default=0.5"))
    modelyard(service.place, "build", "lr")
    quiet = load(PORT, asked, connections=64, seconds=seconds)
    command = [sys.executable, "-m", "modelyard", "-C", str(service.place), "deploy", "test", "lr@2"]
    deploying = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    took: list[float] = []
    while deploying.poll() is None:
        took += load(PORT, asked, connections=64, seconds=0.5)
    assert deploying.returncode == 0, deploying.returncode
    return {
        "quiet": percentiles(quiet),
        "while switching": percentiles(took),
        "requests": len(took),
        "failed": 0,
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--keep", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch, deployed(Path(scratch), port=PORT) as service:
        result = {
            "revision": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip(),
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "first_answer_seconds": launches(service, Path(scratch)),
            "worker_mb": resident(service.worker),
            "at 70 % of saturation": tail(service, given.seconds),
            "switch": switched(service, given.seconds),
        }
    print(json.dumps(result, indent=2))
    if given.keep:
        (ROOT / "benchmarks/results/serving-shape.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
