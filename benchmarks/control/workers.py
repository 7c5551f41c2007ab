"""Twenty builds shared by two workers on PostgreSQL, one of them killed in the middle: each build completed once.

    python benchmarks/control/workers.py [--builds 20]

Two machines are two folders, each with its own ``.modelyard``; they share a schema of a PostgreSQL server (that of ``PATH`` or of
pgserver) and a folder of artifacts. Each build is of another model, so that all can run side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

MODEL = """import modelyard as my
from sklearn.tree import DecisionTreeClassifier

def train(data: my.TrainingData, params: my.Params) -> object:
    return DecisionTreeClassifier(max_depth={depth}, random_state=0).fit(data.features, data.target)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--builds", type=int, default=20)
    parser.add_argument("--url", help="of an empty schema; by default a server of its own")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="workers-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        if given.url:
            share(home, given.url, given.builds)
            return
        import pgserver

        server = pgserver.get_server(home / "pg")
        try:
            share(home, server.get_uri().replace("postgresql://", "postgresql+psycopg://"), given.builds)
        finally:
            server.cleanup()


def share(home: Path, url: str, builds: int) -> None:
    environ = {
        **os.environ,
        "MODELYARD_YARD__DATABASE": url,
        "MODELYARD_YARD__ARTIFACTS": str(home / "artifacts"),
    }
    one, two = home / "one", home / "two"
    project(one, builds)
    shutil.copytree(one, two)
    for n in range(builds):
        run(one, environ, "jobs", "add", "build", f"m{n}")
    began = time.monotonic()
    workers = {name: start(folder, environ) for name, folder in (("one", one), ("two", two))}
    wait(one, environ, done=builds // 4)
    os.killpg(workers["two"].pid, signal.SIGKILL)
    workers["two"].wait()
    print(f"after {time.monotonic() - began:.0f} s the second worker is killed, and started again")
    workers["two"] = start(two, environ)
    wait(one, environ, done=builds)
    for worker in workers.values():
        worker.terminate()
        worker.wait()
    jobs = json.loads(run(one, environ, "jobs", "--all", "--json"))
    versions = json.loads(run(one, environ, "versions", "--json"))
    by = Counter(job["executor"].split("/")[1] for job in jobs)
    print(f"{builds} builds in {time.monotonic() - began:.0f} s: {Counter(job['state'] for job in jobs)}")
    print(f"by worker {dict(by)}; taken over {sum(job['lost'] for job in jobs)}")
    numbers = Counter(version["model"] for version in versions)
    print(f"versions {len(versions)}, of each model {sorted(set(numbers.values()))}")


def project(folder: Path, builds: int) -> None:
    folder.mkdir()
    rows = ["id,a,b,y"] + [f"{i},{i % 17},{(i * 7) % 23},{int(i % 17 > 8)}" for i in range(400)]
    (folder / "d.csv").write_text("\n".join(rows) + "\n")
    text = '[project]\nname = "workers"\n[data.d]\nsource = "d.csv"\ntarget = "y"\nkey = "id"\n[environments.test]\nport = 8101\n'
    for n in range(builds):
        code = folder / "models" / f"m{n}"
        code.mkdir(parents=True)
        (code / "model.py").write_text(MODEL.format(depth=n + 2))
        (code / "test_model.py").write_text("def test_it():\n    assert True\n")
        (code / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
        text += f'[models.m{n}]\ncode = "models/m{n}"\ndata = "d"\n'
        text += f"[models.m{n}.evaluation]\nbaselines = false\nimportance = false\nstability = false\nsearch = false\nfootprint = false\n"
    (folder / "modelyard.toml").write_text(text)


def run(folder: Path, environ: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def start(folder: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "modelyard", "-C", str(folder), "worker"]
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)


def wait(folder: Path, environ: dict[str, str], *, done: int) -> None:
    while True:
        jobs: list[dict[str, Any]] = json.loads(run(folder, environ, "jobs", "--all", "--json"))
        if sum(job["state"] in ("done", "failed", "cancelled") for job in jobs) >= done:
            return
        time.sleep(2)


if __name__ == "__main__":
    main()
