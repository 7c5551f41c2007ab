"""Check and profile of a table of 20 columns, beside pandera's check and Evidently's summary.

    python benchmarks/data/check_profile.py [--rows 10000000] [--held 1000000] [--rounds 3]

Ours holds every row against a schema of declared ranges and categories, and profiles every column (nulls, range,
moments, counts on 256 quantile edges, labels), reading part by part, twice for the profile. pandera holds the same
ranges and categories on a Polars frame; Evidently makes its summary (``DataSummaryPreset``) of a pandas frame. Both want the whole table in
memory, so they are given the first ``--held`` rows, as ours is too, and ours alone all ``--rows``. The peers are
installed once, in an environment of their own. Times are of the work itself, files read included and imports not;
medians, and ratios on the same rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from peers import environment

PEERS = ("evidently==0.7.23", "pandas==2.3.3", "pandera[polars]==0.26.1", "polars==2.1.0", "pyarrow==26.0.1")
PIECE = 250_000
WARDS = ["surgery", "medicine", "paediatrics", "emergency", "maternity"]
BOUNDS = 1e6

TIMED = """
import glob, json, sys, time
import resource
parts = sorted(glob.glob(sys.argv[1] + "/*.parquet"))[: int(sys.argv[2])]
wards, bound = json.loads(sys.argv[3]), float(sys.argv[4])
{imports}
def work():
{work}
began, busy = time.perf_counter(), time.process_time()
work()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([time.perf_counter() - began, time.process_time() - busy, usage.ru_maxrss / 1024]))
"""
IMPORTS = {
    "modelyard": """
import functools, operator
import polars as pl
from modelyard.data.cores import in_order
from modelyard.records.schema import Column, Schema
from modelyard.tables.check import check
from modelyard.tables.digest import row_words
from modelyard.tables.infer import look
from modelyard.tables.profile import merge
from modelyard.tables.sample import Sample, count_frame, edges
def column(name):
    if name.startswith("text"):
        return Column(name=name, kind="string", nullable=True, categories=tuple(wards), declared=("categories",))
    kind = "integer" if name.startswith("count") else "float"
    return Column(name=name, kind=kind, nullable=True, minimum=-bound, maximum=bound, declared=("range",))
""",
    "pandera": "import polars as pl, pandera.polars as pa",
    "evidently": """
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataSummaryPreset
""",
}
WORK = {
    "modelyard check": """
schema = Schema(columns=tuple(column(n) for n in pl.read_parquet_schema(parts[0])))
assert not any(in_order(parts, lambda part: check(pl.read_parquet(part), schema).faults))
""",
    "modelyard profile": """
schema = Schema(columns=tuple(column(n) for n in pl.read_parquet_schema(parts[0])))
sample = Sample()
def first(part):
    frame = pl.read_parquet(part)
    sample.add(frame, row_words(frame, schema.columns)[1])
    return {s.name: look(s) for s in frame}
found = list(in_order(parts, first))
seen = {n: functools.reduce(operator.add, (one[n] for one in found)) for n in found[0]}
anchored = edges(sample, schema, seen)
profile = functools.reduce(merge, in_order(parts, lambda p: count_frame(pl.read_parquet(p), anchored, schema)))
assert all(profile.rows == one.rows for one in seen.values())
""",
    "pandera": """
frame = pl.read_parquet(parts)
def column(name):
    if name.startswith("text"):
        return pa.Column(pl.String, pa.Check.isin(wards), nullable=True)
    kind = pl.Int64 if name.startswith("count") else pl.Float64
    return pa.Column(kind, pa.Check.in_range(-bound, bound), nullable=True)
pa.DataFrameSchema({n: column(n) for n in frame.columns}).validate(frame, lazy=True)
""",
    "evidently": """
frame = pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)
Report([DataSummaryPreset()]).run(Dataset.from_pandas(frame, DataDefinition()), None).dict()
""",
}


def generate(folder: Path, rows: int) -> None:
    """Thirteen floats with gaps, four integers and three texts, in parts of 250,000 rows."""
    for first in range(0, rows, PIECE):
        deal = np.random.default_rng(first)
        size = min(PIECE, rows - first)
        columns: dict[str, pl.Series] = {}
        for at in range(13):
            gaps = pl.Series(deal.random(size) < 0.02)
            columns[f"float{at}"] = pl.Series(deal.normal(at, 1 + at, size)).set(gaps, None)
        for at in range(4):
            columns[f"count{at}"] = pl.Series(deal.integers(0, 10 ** (at + 2), size))
        for at in range(3):
            columns[f"text{at}"] = pl.Series(np.array(WARDS)[deal.integers(0, len(WARDS), size)])
        pl.DataFrame(columns).write_parquet(folder / f"{first:010}.parquet", compression="snappy")


def run(python: str, name: str, folder: Path, parts: int) -> list[float]:
    """Seconds, seconds that processors were busy, and largest resident MB."""
    work = "\n".join(f"    {line}" for line in WORK[name].strip().splitlines())
    script = TIMED.format(imports=IMPORTS[name.split()[0]], work=work)
    command = [python, "-c", script, str(folder), str(parts), json.dumps(WARDS), str(BOUNDS)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return list(map(float, json.loads(told.splitlines()[-1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    peers = str(environment(*PEERS) / "python")
    found: dict[tuple[str, int], list[list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as scratch:
        generate(Path(scratch), given.rows)
        few, many = (-(-rows // PIECE) for rows in (given.held, given.rows))
        for _ in range(given.rounds):
            for python, name, parts in (
                (peers, "pandera", few),
                (sys.executable, "modelyard check", few),
                (peers, "evidently", few),
                (sys.executable, "modelyard profile", few),
                (sys.executable, "modelyard check", many),
                (sys.executable, "modelyard profile", many),
            ):
                found.setdefault((name, parts), []).append(run(python, name, Path(scratch), parts))
    middle = {one: [statistics.median(c) for c in zip(*runs, strict=True)] for one, runs in found.items()}
    for (name, parts), (wall, busy, memory) in middle.items():
        rows = min(parts * PIECE, given.rows)
        print(f"{name:<18} {rows:>12,} rows {wall:8.2f} s   {busy:8.2f} s busy   {memory:7.0f} MB")
    for peer, ours in (("pandera", "modelyard check"), ("evidently", "modelyard profile")):
        (theirs, their_busy, _), (our, our_busy, _) = middle[peer, few], middle[ours, few]
        print(f"{peer} / {ours}: {theirs / our:.1f} (busy {their_busy / our_busy:.1f})")


if __name__ == "__main__":
    main()
