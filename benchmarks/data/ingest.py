"""A large CSV ingested whole (typed, checked, profiled, split, versioned), beside pandas' mere conversion.

    python benchmarks/data/ingest.py [--rows 1000000] [--rounds 3] [--keep FILE]

The peer is ``pandas.read_csv(...).to_parquet(...)``: it reads and writes, and does nothing else. A second one converts
with Polars, dates as dates, and takes the sha256 of both files, which is the least that a version needs. All run as
processes of their own, in turn. Prints medians: seconds of the wall clock, seconds that processors were busy
(which other work on the machine moves less), and the largest resident memory of a process. ``--rows 10000000`` makes a file of about 1 GB.
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
from peers import Cost, run

SETTINGS = """
[project]
name = "bench"

[data.visits]
source = "visits.csv"
target = "readmitted"
key = "visit"
"""
PANDAS = "import pandas, sys; pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2])"
POLARS = """
import hashlib, polars, sys
polars.scan_csv(sys.argv[1], try_parse_dates=True).sink_parquet(sys.argv[2], compression="snappy")
for name in sys.argv[1:]:
    with open(name, "rb") as stream:
        hashlib.file_digest(stream, "sha256")
"""
PIECE = 500_000


def visits(first: int, rows: int) -> pl.DataFrame:
    """Twelve columns: a key, times, days, few and many categories, numbers with gaps."""
    deal = np.random.default_rng(first)
    numbers = np.arange(first, first + rows)
    gaps = deal.random(rows) < 0.1
    return pl.DataFrame(
        {
            "visit": numbers,
            "patient": pl.Series(deal.integers(0, 2_000_000, rows)).cast(pl.String).str.pad_start(8, "p"),
            "arrived": pl.Series(numbers * 37 + 1_500_000_000).cast(pl.Int64) * 1_000_000,
            "born": pl.Series(deal.integers(-15_000, 15_000, rows), dtype=pl.Int32).cast(pl.Date),
            "ward": np.array(["surgery", "medicine", "paediatrics", "emergency", "maternity"])[
                deal.integers(0, 5, rows)
            ],
            "diagnosis": pl.Series(deal.integers(0, 900, rows)).cast(pl.String).str.pad_start(4, "D"),
            "age": deal.integers(0, 100, rows),
            "weight": pl.Series(np.round(deal.normal(70, 15, rows), 1)).set(pl.Series(gaps), None),
            "pressure": np.round(deal.normal(120, 20, rows), 2),
            "glucose": np.round(deal.lognormal(1.6, 0.3, rows), 4),
            "smokes": deal.random(rows) < 0.2,
            "readmitted": deal.integers(0, 2, rows),
        }
    ).with_columns(pl.col("arrived").cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S"))


def generate(path: Path, rows: int) -> None:
    with path.open("wb") as stream:
        for first in range(0, rows, PIECE):
            visits(first, min(PIECE, rows - first)).write_csv(stream, include_header=first == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="generate the file there, or use it when it is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as scratch:
        source = given.keep or Path(scratch) / "visits.csv"
        if not source.exists():
            generate(source, given.rows)
        print(f"{given.rows:,} rows, {source.stat().st_size / 1e6:,.0f} MB of CSV")
        found: dict[str, list[Cost]] = {}
        for at in range(given.rounds):
            folder = Path(scratch) / str(at)
            folder.mkdir()
            (folder / "modelyard.toml").write_text(SETTINGS)
            (folder / "visits.csv").hardlink_to(source) if not given.keep else (
                folder / "visits.csv"
            ).symlink_to(source.resolve())
            ingest = [sys.executable, "-m", "modelyard", "-C", str(folder), "ingest", "visits"]
            for name, command in (
                (
                    "pandas read_csv + to_parquet",
                    [sys.executable, "-c", PANDAS, str(source), str(folder / "p")],
                ),
                (
                    "polars scan_csv + sink_parquet",
                    [sys.executable, "-c", POLARS, str(source), str(folder / "q")],
                ),
                ("modelyard ingest", ingest),
                ("modelyard ingest, unchanged", ingest),
            ):
                found.setdefault(name, []).append(run(command))
            subprocess.run(["rm", "-rf", str(folder)], check=True)
    middle = {
        name: Cost(*(statistics.median(column) for column in zip(*runs, strict=True)))
        for name, runs in found.items()
    }
    for name, cost in middle.items():
        print(f"{name:<30} {cost.wall:7.2f} s   {cost.busy:7.2f} s busy   {cost.memory:7.0f} MB")
    pandas, ours = middle["pandas read_csv + to_parquet"], middle["modelyard ingest"]
    print(f"modelyard / pandas: {ours.wall / pandas.wall:.2f} (busy {ours.busy / pandas.busy:.2f})")


if __name__ == "__main__":
    main()
