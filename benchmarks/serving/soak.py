"""An hour at half load: whether the memory of a service stays what it is, and every request is answered.

``python benchmarks/serving/soak.py --seconds 3600`` makes a project, puts a compiled and a native model of it live in one
service with a prediction log, measures what one worker can take, and asks for half of that. The log is collected each
minute, as a yard does, and thrown away, since an hour of it fills a disk. With ``--keep`` the result is written with the
revision to ``benchmarks/results/soak.json``. Exit code 1 when a request failed, or memory grew by more than two percent an hour
after the first sixth of the time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PORT = 8571
EVERY = 5.0
WARM = 1 / 6
MOST = 0.02


def modelyard(project: Path, *words: str) -> str:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"modelyard {' '.join(words)}: {done.stderr}")
    return done.stdout


def project(folder: Path) -> Path:
    """Two models of the same rows, one compiled and one native, live in one environment."""
    place = folder / "soak"
    subprocess.run([sys.executable, "-m", "modelyard", "init", "soak", "--folder", str(place)], check=True)
    settings = place / "modelyard.toml"
    text = settings.read_text().replace("port = 8101", f"port = {PORT}")
    start = text.index("[models.soak]")
    block = text[start : text.index("\n[", start)]
    native = block.replace("[models.soak]", '[models.native]\nform = "native"')
    settings.write_text(text.replace(block, f"{block}\n{native}"))
    modelyard(place, "build")
    for model in ("soak", "native"):
        modelyard(place, "deploy", "test", model)
    return place


def memory(pid: int) -> float:
    """Memory of its own, in MB: not the pages of libraries, whose share depends on who else runs them."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(told.partition("\nAnonymous:")[2].split()[0]) / 1024


def processes(supervisor: int) -> dict[str, int]:
    """The supervisor, its workers, and the processes of native models."""
    found, parents = {"supervisor": supervisor}, {supervisor}
    for _ in range(2):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in found.values():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    name = "native" if b"desk" in (entry / "cmdline").read_bytes() else "worker"
                except OSError:
                    continue
                if parent in parents:
                    found[f"{name} {entry.name}"] = int(entry.name)
        parents |= set(found.values())
    return found


def collect(place: Path, until: threading.Event) -> None:
    from modelyard.monitoring import collect

    tables = place / ".soak"
    while not until.wait(60):
        collect(place / ".modelyard/predictions/test", tables, environment="test")
        shutil.rmtree(tables, ignore_errors=True)


def watch(supervisor: int, until: threading.Event, seen: dict[str, list[tuple[float, float]]]) -> None:
    begun = time.monotonic()
    while not until.wait(EVERY):
        for name, pid in processes(supervisor).items():
            try:
                seen.setdefault(name, []).append((time.monotonic() - begun, memory(pid)))
            except OSError:
                continue


def growth(samples: list[tuple[float, float]], seconds: float) -> dict[str, float]:
    """A line through what was seen after the first sixth: MB at its begin, and its growth in an hour."""
    late = np.array([s for s in samples if s[0] > seconds * WARM])
    slope, level = np.polyfit(late[:, 0], late[:, 1], 1)
    begin = float(level + slope * late[0, 0])
    return {
        "mb": round(begin, 1),
        "most_mb": round(float(late[:, 1].max()), 1),
        "mb_an_hour": round(float(slope) * 3600, 2),
        "share_an_hour": round(float(slope) * 3600 / begin, 4),
    }


def loadtest(place: Path, *words: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(modelyard(place, "loadtest", "soak@test", "--json", *words))
    return told


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=3600)
    asked.add_argument(
        "--rate", type=float, help="requests a second, instead of half of what is measured first"
    )
    asked.add_argument("--keep", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = project(Path(folder))
        state = json.loads((place / ".modelyard/services/test/state.json").read_text())
        until, seen = threading.Event(), {}
        threads = [
            threading.Thread(target=collect, args=(place, until)),
            threading.Thread(target=watch, args=(state["pid"], until, seen)),
        ]
        try:
            full = loadtest(place, "--users", "64", "--seconds", "10")
            rate = given.rate or max(1.0, answered(full) / 10 / 2)
            print(f"{rate:.0f} requests a second, of {answered(full) / 10:.0f} at most", flush=True)
            for thread in threads:
                thread.start()
            half = loadtest(place, "--users", "64", "--rate", f"{rate:.0f}", "--seconds", str(given.seconds))
        finally:
            until.set()
            for thread in threads:
                if thread.is_alive():
                    thread.join()
            modelyard(place, "stop", "test")
    result = {
        "revision": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip(),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "seconds": given.seconds,
        "rate": round(rate),
        "answered": answered(half),
        "failed": failed(half),
        "memory": {
            name: growth(samples, given.seconds)
            for name, samples in sorted(seen.items())
            if len(samples) > given.seconds / EVERY / 2
        },
    }
    print(json.dumps(result, indent=2))
    if given.keep:
        (ROOT / "benchmarks/results/soak.json").write_text(json.dumps(result, indent=2) + "\n")
    flat = all(each["share_an_hour"] <= MOST for each in result["memory"].values())
    return 0 if flat and not result["failed"] and result["memory"] else 1


def answered(told: dict[str, Any]) -> int:
    return int(sum(level["answered"] for level in told["levels"]))


def failed(told: dict[str, Any]) -> int:
    return int(
        sum(sum(level.get("errors", {}).values()) + level.get("unsent", 0) for level in told["levels"])
    )


if __name__ == "__main__":
    sys.exit(main())
