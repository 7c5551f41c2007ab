"""How long drift of a large window takes, and how much memory, beside Evidently and NannyML.

``python speed.py --evidently PYTHON --nannyml PYTHON [--write docs/performance/...]``: each side is a process of its own that
reads the same Parquet files, one after another on the same machine; the other tools' Pythons are environments that have them.
Counted is from rows in memory to findings for the others, and with reading the file, in pieces, for us.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = {"100,000 x 10": (100_000, 10), "10,000,000 x 20": (10_000_000, 20)}
REFERENCE = 100_000
PIECE = 500_000
HOLDS = 1_000_000
"""Rows beyond which the other tools are not asked: their memory grows with the rows."""


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--evidently", type=Path)
    given.add_argument("--nannyml", type=Path)
    given.add_argument("--side", choices=["ours", "evidently", "nannyml"])
    given.add_argument("--folder", type=Path)
    asked = given.parse_args()
    if asked.side:
        sys.stdout.write(
            json.dumps({"ours": ours, "evidently": evidently, "nannyml": nannyml}[asked.side](asked.folder))
        )
        return
    pythons = {"ours": Path(sys.executable), "evidently": asked.evidently, "nannyml": asked.nannyml}
    for name, (rows, columns) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder), rows, columns)
            for side, python in pythons.items():
                if python is None or (side != "ours" and rows > HOLDS):
                    continue
                command = [str(python), "-W", "ignore", __file__, "--side", side, "--folder", folder]
                found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                sys.stdout.write(
                    f"{name:<18} {side:<10} {found['seconds']:8.2f} s ({found['busy']:.2f} s busy)  {found['memory']:7.0f} MB  {found['drifted']} drifted\n"
                )
                sys.stdout.flush()


def _make(folder: Path, rows: int, columns: int) -> None:
    """Normal columns; one in five of the window's is shifted by half a deviation."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    names = [f"c{i}" for i in range(columns)]
    pq.write_table(pa.table({n: random.normal(size=REFERENCE) for n in names}), folder / "reference.parquet")
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(folder / "window.parquet", schema) as file:
        for at in range(0, rows, PIECE):
            n = min(PIECE, rows - at)
            made = {name: random.normal(0.5 * (i % 5 == 0), 1, n) for i, name in enumerate(names)}
            file.write_table(pa.table(made), row_group_size=100_000)


def ours(folder: Path) -> dict[str, Any]:
    import datetime as dt

    import pyarrow.parquet as pq

    from modelyard.monitoring import Evidence, examine
    from modelyard.monitoring.judges import faults, features
    from modelyard.records.schema import Column, Schema
    from modelyard.settings import MonitorSettings
    from modelyard.tables.batch import Batch
    from modelyard.tables.profile import anchor, count, merge

    def batch(table: Any) -> Batch:
        columns = [column.to_numpy() for column in table.columns]
        return Batch(np.column_stack(columns), np.empty((table.num_rows, 0), dtype=object))

    before = pq.read_table(folder / "reference.parquet")
    schema = Schema(columns=tuple(Column(name=name, kind="float") for name in before.column_names))
    reference = anchor(batch(before), schema)  # sealed in the package: no part of a look
    del before
    began = time.perf_counter(), time.process_time()
    window = None
    for group in pq.ParquetFile(folder / "window.parquet", pre_buffer=False).iter_batches(batch_size=100_000):
        counted = count(batch(group), reference)
        window = counted if window is None else merge(window, counted)
    assert window is not None
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    evidence = Evidence(
        settings=MonitorSettings(),
        environment="prod",
        model="bench",
        version=1,
        start=moment,
        end=moment,
        reference=reference,
        window=window,
    )
    report = examine(evidence, (features, faults))
    return _said(began, len({f.column for f in report.alerts}))


def evidently(folder: Path) -> dict[str, Any]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    before, window = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "window"))
    began = time.perf_counter(), time.process_time()
    columns = DataDefinition(numerical_columns=list(before.columns))
    made = [Dataset.from_pandas(frame, data_definition=columns) for frame in (window, before)]
    found = json.loads(Report([DataDriftPreset()]).run(*made).json())
    values = [m["value"] for m in found["metrics"]]
    return _said(began, int(values[0]["count"]))


def nannyml(folder: Path) -> dict[str, Any]:
    import nannyml as nml
    import pandas as pd

    before, window = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "window"))
    began = time.perf_counter(), time.process_time()
    calculator = nml.UnivariateDriftCalculator(column_names=list(before.columns)).fit(before)
    calculator.chunker = nml.chunk.CountBasedChunker(1)
    found = calculator.calculate(window).filter(period="analysis").to_df()
    return _said(began, sum(bool(found[c]["jensen_shannon"].iloc[0]["alert"]) for c in before.columns))


def _said(began: tuple[float, float], drifted: int) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, busy = time.perf_counter() - began[0], time.process_time() - began[1]
    return {"seconds": seconds, "busy": busy, "memory": peak, "drifted": drifted}


if __name__ == "__main__":
    main()
