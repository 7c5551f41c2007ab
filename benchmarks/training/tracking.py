"""Points logged from a training loop, beside the mlflow client on an SQLite store of its own.

    python benchmarks/training/tracking.py [--points 100000] [--rounds 3]

Both log the same points, one call each, in a process of their own; mlflow (its version in
``locks/mlflow.txt``) in an environment that uv makes in ``.cache`` on first use. mlflow is also shown with
its ``log_batch`` of a thousand points a call, which an author has to gather. Medians of seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = """
import sys, time
from pathlib import Path
import modelyard as my
from modelyard.training.recorder import recording
with recording(Path(sys.argv[1])):
    began = time.perf_counter()
    for step in range(int(sys.argv[2])):
        my.log_metric("loss", 1 / (step + 1), step)
    print(time.perf_counter() - began)
"""
THEIRS = """
import sys, time, mlflow
from mlflow.entities import Metric
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}/mlflow.db")
points, batch = int(sys.argv[2]), int(sys.argv[3])
with mlflow.start_run() as run:
    client = mlflow.MlflowClient()
    mlflow.log_metric("first", 1.0)
    began = time.perf_counter()
    if batch == 1:
        for step in range(points):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
    else:
        for start in range(0, points, batch):
            client.log_batch(run.info.run_id, [Metric("loss", 1 / (s + 1), 0, s) for s in range(start, start + batch)])
    print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--single", type=int, default=2_000, help="points that mlflow logs one call each")
    asked = parser.parse_args()
    sys.path.append(str(ROOT / "benchmarks"))
    from mlflow_peer import peer_python

    peer = peer_python()
    took: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        for name, python, code, points, *more in (
            ("my.log_metric", sys.executable, OURS, asked.points),
            ("mlflow log_batch, 1000 a call", str(peer), THEIRS, asked.points, "1000"),
            ("mlflow.log_metric", str(peer), THEIRS, asked.single, "1"),
        ):
            seconds = run(python, code, str(points), *more)
            took.setdefault(name, []).append(seconds / points * asked.points)
    found = {name: statistics.median(all_) for name, all_ in took.items()}
    ours = found["my.log_metric"]
    for name, seconds in found.items():
        print(f"{name:<32} {seconds:9.3f} s for {asked.points:,} points   {seconds / ours:9.1f} x")
    print(json.dumps({"scaled from": {"mlflow.log_metric": asked.single}}))


def run(python: str, code: str, *words: str) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if python == sys.executable:
            environment["PYTHONPATH"] = str(ROOT / "src")
        done = subprocess.run(
            [python, "-c", code, scratch, *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=scratch,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
