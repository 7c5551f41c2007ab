"""Ten thousand small CSV files as one dataset version, beside ``dvc add`` of their folder.

    python benchmarks/data/small_files.py [--files 10000] [--rounds 3]

``modelyard ingest`` reads, types, checks, profiles, splits and versions the rows; ``dvc add`` hashes the files and
takes them into its cache, unread. DVC is installed once, in an environment of its own. Both run as processes of
their own, in turn. Prints medians and their ratio: seconds of the wall clock, seconds that processors were busy, and
the largest resident memory of a process; and the same for a second run in which nothing has changed. What an ingest of
one such file costs, nearly all of it the start, is the least that any number of files can.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from peers import Cost, environment, remove, run

DVC = "dvc==3.67.1"
SETTINGS = """
[project]
name = "bench"

[data.visits]
source = "visits"
target = "readmitted"
key = "visit"
"""
ROWS = 10


def generate(folder: Path, files: int) -> int:
    """Files of ten visits each; gives their bytes."""
    folder.mkdir(parents=True)
    deal = np.random.default_rng(0)
    rows = files * ROWS
    table = pl.DataFrame(
        {
            "visit": np.arange(rows),
            "ward": np.array(["surgery", "medicine", "emergency"])[deal.integers(0, 3, rows)],
            "born": pl.Series(deal.integers(-15_000, 15_000, rows), dtype=pl.Int32).cast(pl.Date),
            "weight": np.round(deal.normal(70, 15, rows), 1),
            "readmitted": deal.integers(0, 2, rows),
        }
    )
    size = 0
    for at, piece in enumerate(table.iter_slices(ROWS)):
        path = folder / f"{at:05}.csv"
        piece.write_csv(path)
        size += path.stat().st_size
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    dvc = str(environment(DVC) / "dvc")
    found: dict[str, list[Cost]] = {}
    for at in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as scratch:
            ours, theirs, one = (Path(scratch) / name for name in ("ours", "theirs", "one"))
            for folder in (ours, theirs):
                size = generate(folder / "visits", given.files)
            generate(one / "visits", 1)
            if at == 0:
                print(f"{given.files:,} files, {size / 1e6:,.1f} MB of CSV")
            for folder in (ours, one):
                (folder / "modelyard.toml").write_text(SETTINGS)
            found.setdefault("modelyard ingest, one file", []).append(run(_ingest(one)))
            for step in (["git", "init", "--quiet"], [dvc, "init", "--quiet"]):
                subprocess.run(step, cwd=theirs, check=True)
            ingest = _ingest(ours)
            for name in ("", ", unchanged"):
                found.setdefault(f"modelyard ingest{name}", []).append(run(ingest))
                found.setdefault(f"dvc add{name}", []).append(
                    run([dvc, "add", "--quiet", "visits"], cwd=theirs)
                )
            remove(theirs)
    middle = {
        name: Cost(*(statistics.median(c) for c in zip(*runs, strict=True))) for name, runs in found.items()
    }
    for name, cost in middle.items():
        print(f"{name:<30} {cost.wall:7.2f} s   {cost.busy:7.2f} s busy   {cost.memory:7.0f} MB")
    for name in ("", ", unchanged"):
        ours, theirs = middle[f"modelyard ingest{name}"], middle[f"dvc add{name}"]
        print(f"dvc / modelyard{name}: {theirs.wall / ours.wall:.1f} (busy {theirs.busy / ours.busy:.1f})")


def _ingest(folder: Path) -> list[str]:
    return [sys.executable, "-m", "modelyard", "-C", str(folder), "ingest", "visits"]


if __name__ == "__main__":
    main()
