"""What a look at a window of the prediction log costs: the first, the second, and one over a day of a billion rows.

``python window.py [--rows 10000000] [--columns 20]``: rows are logged as a service logs them and collected; each step is a
process of its own, of which the seconds, those that a processor was busy, and the highest memory are told. The day of a billion
is simulated: a table with as many names for one file, and for what was counted of it, as make up a billion rows, so that everything
but the rows themselves is as many times there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
TURN = 5_000
LOT = 1_000_000
"""Rows between two collections."""
MILLION, BILLION = 10**6, 10**9


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=10_000_000)
    given.add_argument("--columns", type=int, default=20)
    given.add_argument("--step", choices=[*STEPS])
    given.add_argument("--folder", type=Path)
    asked = given.parse_args()
    if asked.step:
        began = time.perf_counter(), time.process_time()
        told = STEPS[asked.step](asked.folder, asked) or {}
        seconds, busy = time.perf_counter() - began[0], time.process_time() - began[1]
        sys.stdout.write(json.dumps(told | {"seconds": seconds, "busy": busy, "memory": _highest()}))
        return
    for name, rows in (("window", asked.rows), ("billion", MILLION)):
        with tempfile.TemporaryDirectory() as folder:
            for step in (
                STEPS if name == "window" else ("log", "first look", "names for a day", "second look")
            ):
                if step == "names for a day" and name == "window":
                    continue
                command = [sys.executable, "-W", "ignore", __file__, "--step", step, "--folder", folder]
                command += ["--rows", str(rows), "--columns", str(asked.columns)]
                found = json.loads(
                    subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                )
                sys.stdout.write(
                    f"{rows:>12,} x {asked.columns:<4} {step:<18} {found['seconds']:8.2f} s ({found['busy']:.2f} s busy)"
                    f"  {found['memory']:6.0f} MB{_rest(found)}\n"
                )
                sys.stdout.flush()


def log(folder: Path, asked: argparse.Namespace) -> None:
    """Logged and collected, a lot at a time; one column in five is shifted by half a deviation."""
    from modelyard.monitoring import collect
    from modelyard.predictions import Writer
    from modelyard.testing.prediction_sink import served

    random, rows, columns = np.random.default_rng(0), asked.rows, asked.columns
    manifest, step = _manifest(columns), DAY.total_seconds() / rows
    shift = 0.5 * (np.arange(columns) % 5 == 0)
    for lot in range(0, rows, LOT):
        writer = Writer(folder / "log", 0)
        key = writer.begin(served("bench"), manifest)
        for at in range(lot, min(lot + LOT, rows), TURN):
            n = min(TURN, rows - at)
            batch: Any = SimpleNamespace(
                numbers=random.normal(shift, 1, (n, columns)), texts=np.empty((n, 0), dtype=object)
            )
            answers: Any = SimpleNamespace(prediction=random.normal(size=n), probability=None, quantiles=None)
            ids = [b"%032x" % i for i in range(at, at + n)]
            moment = START.timestamp() + at * step
            writer.write(key, batch, answers, ids=ids, at=moment, latency=0.001)
            writer.flush()
        writer.close()
        collect(folder / "log", folder / "tables", environment="prod")


def look(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """As ``monitor`` does it, with the judges that go by counts."""
    from modelyard.monitoring import MOST, Evidence, examine, survey
    from modelyard.monitoring.judges import answers, faults, features
    from modelyard.settings import MonitorSettings
    from modelyard.tables.batch import Batch
    from modelyard.tables.profile import anchor, anchor_answers

    random, columns = np.random.default_rng(1), asked.columns
    manifest = _manifest(columns)
    learnt = Batch(random.normal(size=(100_000, columns)), np.empty((100_000, 0), dtype=object))
    reference = anchor(learnt, manifest.schema)
    answered = anchor_answers(random.normal(size=100_000), None, task="regression")
    del learnt
    began = time.perf_counter()
    found = survey(
        folder / "tables",
        folder / "log",
        environment="prod",
        model="bench",
        start=START,
        end=START + DAY,
        version=1,
        manifest=manifest,
        features=reference,
        answers=answered,
        most=MOST,
    )
    evidence = Evidence(
        settings=MonitorSettings(),
        environment="prod",
        model="bench",
        version=1,
        start=START,
        end=START + DAY,
        reference=reference,
        window=found.features,
        answers=answered,
        window_answers=found.answers,
        rows=found.drawn,
    )
    report = examine(evidence, (features, answers, faults))
    return {
        "look": time.perf_counter() - began,
        "counted": found.features.rows,
        "drawn": found.drawn.height,
        "drifted": len({f.column for f in report.alerts}),
    }


def names(folder: Path, _: argparse.Namespace) -> None:
    """One file and what was counted of it under many names, each of its own part of the day."""
    from deltalake import DeltaTable, Schema
    from deltalake.transaction import AddAction, create_table_with_add_actions

    from modelyard.monitoring.kept import HOME

    old = next((folder / "tables/predictions/prod/bench").iterdir())
    fields = Schema.from_json(DeltaTable(old).schema().to_json())
    data = max(old.glob("*.parquet"), key=lambda path: path.stat().st_size)
    size, told = data.stat().st_size, DeltaTable(old).get_add_actions(flatten=True)
    rows = max(told["num_records"].to_pylist())
    files = -(-BILLION // rows)
    counted = list((old / HOME).glob(f"{data.stem}.*"))
    away = folder / "aside"
    old.rename(away)
    (old / HOME).mkdir(parents=True)
    adds = []
    for at in range(files):
        name = f"part-{at:05}"
        os.link(away / data.name, old / f"{name}.parquet")
        for path in counted:
            os.link(away / HOME / path.name, old / HOME / f"{name}{path.name.removeprefix(data.stem)}")
        ends = [(START + DAY * (at + share) / files).isoformat() for share in (0.0, 0.9)]
        stats = {
            "numRecords": rows,
            "minValues": {"at": ends[0], "version": 1},
            "maxValues": {"at": ends[1], "version": 1},
        }
        adds.append(AddAction(f"{name}.parquet", size, {}, 0, True, json.dumps(stats)))
    create_table_with_add_actions(str(old), fields, adds)


def _manifest(columns: int) -> Any:
    from modelyard.records.package import Manifest
    from modelyard.records.schema import Column, Schema
    from modelyard.tables.batch import layout

    schema = Schema(columns=tuple(Column(name=f"c{i}", kind="float") for i in range(columns)))
    return Manifest(
        model="bench",
        task="regression",
        classes=(),
        form="onnx",
        frame="pandas",
        schema=schema,
        layout=layout(schema),
        requirements=(),
        python="3.11",
        files=(),
    )


def _highest() -> float:
    told = Path("/proc/self/status").read_text()
    return int(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def _rest(found: dict[str, Any]) -> str:
    if "look" not in found:
        return ""
    return f"; the look {found['look']:.2f} s, {found['counted']:,} rows counted, {found['drawn']:,} drawn, {found['drifted']} drifted"


STEPS = {"log": log, "first look": look, "names for a day": names, "second look": look}


if __name__ == "__main__":
    main()
