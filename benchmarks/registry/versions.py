"""Register, resolve and search among ten thousand versions, beside the MLflow registry on its own SQLite store.

    python benchmarks/registry/versions.py [--versions 10000] [--rounds 3] [--calls 50] [--folder FOLDER]

Both go through Python, each in a process of its own, mlflow (its version in ``locks/mlflow.txt``) in an environment that uv
makes in ``.cache`` on first use. Every version has two tags in both, and five metrics in ours. ``@prod`` is what a
live release makes live here, and an alias there. Registering gives what is stored already its version, with all the
others in place; ours is admitted to the first environment and audited by that. Medians of the rounds, each a
median of many calls, in milliseconds. ``--folder`` keeps the stores, so that a second run need not fill them again.
Neither is asked through HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMED = """
import statistics, sys, time
folder, versions, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def timed(work):
    took = []
    for n in range(calls):
        began = time.perf_counter()
        work(n)
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)
"""
OURS = (
    TIMED
    + """
import datetime as dt, json, uuid
from pathlib import Path
from modelyard import registry
from modelyard.records.registry import Marks, Version
from modelyard.registry.access import Guard
from modelyard.storage.database import open_yard
from modelyard.testing import samples

now = dt.datetime.now(dt.UTC)
guard = Guard("", clock=lambda: dt.datetime.now(dt.UTC))
yard = open_yard("sqlite:///yard.db", Path(folder), guard=guard)
METRICS = {"roc_auc": 0.9, "f1": 0.8, "recall": 0.7, "brier": 0.1, "log_loss": 0.2}

def registered(facts, package):
    return registry.register(facts, package=package, dataset="patients@1", environments=("prod",), by="ann",
                             now=now, metrics=METRICS)

def added(facts, n):
    version = registered(facts, samples.package(uuid.uuid4().hex))
    registry.tag(facts, model="screening", version=version.number, name="team", value=f"team{n % 100}")
    registry.tag(facts, model="screening", version=version.number, name="season", value="winter")
    return version

with yard.read() as facts:
    there = len(facts.versions.list())
while there < versions:
    def many(facts):
        for n in range(there, min(versions, there + 500)):
            added(facts, n)
    yard.once(uuid.uuid4().hex, "ann", many, type(None))
    there += 500
def go_live(facts):
    begun = registry.begin(facts, environment="prod", model="screening", version=versions // 2, by="ann", now=now)
    registry.succeed(facts, begun.id, now)
yard.once("live", "ann", go_live, type(None))

def resolve(n):
    with yard.read() as facts:
        assert registry.resolve(facts, "screening@prod", ("prod",)).number == versions // 2

def search(where, count):
    def work(n):
        with yard.read() as facts:
            found = registry.search(facts, where, environments=("prod",), model="screening")
        assert len(found) >= count, len(found)
    return work

sealed = [samples.package(uuid.uuid4().hex) for _ in range(calls)]
def stored(facts):
    for package in sealed:
        facts.packages.put(package)
yard.once(uuid.uuid4().hex, "ann", stored, type(None))
print(json.dumps({
    "resolve @prod": timed(resolve),
    "search, 1 % match a tag": timed(search("tags.team = 'team7'", versions // 100)),
    "search, 1 % match a tag and a metric": timed(search("tags.team = 'team7' and metrics.roc_auc > 0.5", versions // 100)),
    "register": timed(lambda n: yard.once(uuid.uuid4().hex, "ann", lambda f: registered(f, sealed[n]), Version)),
}))
"""
)
THEIRS = (
    TIMED
    + """
import json, logging
import mlflow
logging.disable(logging.INFO)
mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
client = mlflow.MlflowClient()
try:
    client.create_registered_model("screening")
    there = 0
except mlflow.exceptions.MlflowException:
    there = int(client.get_latest_versions("screening", stages=["None"])[0].version)

def added(n):
    tags = {"team": f"team{n % 100}", "season": "winter"}
    return client.create_model_version("screening", f"{folder}/model{n}", tags=tags)

for n in range(there, versions):
    added(n)
client.set_registered_model_alias("screening", "prod", str(versions // 2))

def resolve(n):
    assert int(client.get_model_version_by_alias("screening", "prod").version) == versions // 2

def search(where, count):
    def work(n):
        assert len(client.search_model_versions(where, max_results=10000)) >= count
    return work

print(json.dumps({
    "resolve @prod": timed(resolve),
    "search, 1 % match a tag": timed(search("name = 'screening' and tags.team = 'team7'", versions // 100)),
    "register": timed(lambda n: client.create_model_version("screening", f"{folder}/model{n}")),
}))
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    sys.path.append(str(ROOT / "benchmarks"))
    from mlflow_peer import peer_python

    folder = asked.folder or Path(tempfile.mkdtemp(prefix="registry-"))
    folder.mkdir(parents=True, exist_ok=True)
    took: dict[str, dict[str, list[float]]] = {"modelyard": {}, "mlflow": {}}
    try:
        for _ in range(asked.rounds):
            for name, python, code in (
                ("modelyard", sys.executable, OURS),
                ("mlflow", str(peer_python()), THEIRS),
            ):
                found = run(python, code, folder, str(asked.versions), str(asked.calls))
                for what, milliseconds in found.items():
                    took[name].setdefault(what, []).append(milliseconds)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    print(f"{'milliseconds a call':<40}{'modelyard':>12}{'mlflow':>12}{'ratio':>8}")
    for what, ours in took["modelyard"].items():
        mine, theirs = statistics.median(ours), took["mlflow"].get(what)
        other = f"{statistics.median(theirs):12.2f}{statistics.median(theirs) / mine:8.1f}" if theirs else ""
        print(f"{what:<40}{mine:12.2f}{other}")


def run(python: str, code: str, folder: Path, *words: str) -> dict[str, float]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if python == sys.executable:
        environment["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(
        [python, "-c", code, str(folder), *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
