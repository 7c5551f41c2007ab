"""Collecting: every prediction once, whatever is killed, and windows over log and tables."""

from __future__ import annotations

import datetime as dt
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from modelyard.errors import DataRefused, StoreDown
from modelyard.monitoring.collect import collect
from modelyard.monitoring.reading import features, window
from modelyard.predictions import Writer, segments
from modelyard.records.package import Manifest
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import layout
from modelyard.testing.prediction_sink import manifest, served

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


class Yard:
    """A log folder and a tables folder."""

    def __init__(self, folder: Path) -> None:
        self.log, self.tables = folder / "log", folder / "tables"
        self.count = 0

    def writer(self, **more: Any) -> Writer:
        return Writer(self.log, 0, **more)

    def turn(self, writer: Writer, key: int, n: int = 1, *, at: dt.datetime = START) -> None:
        batch = SimpleNamespace(numbers=np.ones((n, 1)), texts=np.full((n, 1), "red", dtype=object))
        answers: Any = SimpleNamespace(
            prediction=np.array(["no"] * n, dtype=object),
            probability=np.tile([0.75, 0.25], (n, 1)),
            quantiles=None,
        )
        ids = [b"%06d" % i for i in range(self.count, self.count + n)]
        self.count += n
        writer.write(key, batch, answers, ids=ids, at=at.timestamp(), latency=0.5)
        writer.flush()

    def collect(self) -> int:
        return collect(self.log, self.tables, environment="prod")

    def window(self, model: str = "m", **more: Any) -> pl.DataFrame:
        span = {"start": START, "end": END} | more
        return window(self.tables, self.log, environment="prod", model=model, **span)

    def ids(self) -> list[str]:
        return self.window()["request_id"].to_list()


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def begun(writer: Writer, name: str = "m", version: int = 1) -> int:
    return writer.begin(served(name, version=version), manifest(name))


def test_a_prediction_comes_back_with_all_that_is_known_of_it(yard: Yard) -> None:
    writer = yard.writer()
    yard.turn(writer, begun(writer))
    writer.close()
    for _ in range(2):
        row = yard.window().to_dicts()[0]
        assert row.pop("writer") == writer.writer
        assert row == {
            "request_id": "000000",
            "row": 0,
            "at": START,
            "model": "m",
            "version": 1,
            "model_id": "m/test/1",
            "client_id": None,
            "latency": 0.5,
            "sequence": 0,
            "prediction": "no",
            "probability": [0.75, 0.25],
            "features": {"size": 1.0, "colour": "red"},
        }
        yard.collect()


def test_collecting_moves_complete_segments_and_the_window_stays_the_same(yard: Yard) -> None:
    writer = yard.writer(size=3000)
    key = begun(writer)
    for _ in range(100):
        yard.turn(writer, key)
    before = yard.window()
    assert before.height == 100
    assert 0 < yard.collect() < 100
    assert len(segments(yard.log)) == 1
    assert yard.window().equals(before)
    writer.close()
    yard.collect()
    assert segments(yard.log) == []
    assert yard.window().equals(before)
    assert yard.collect() == 0


def test_the_window_takes_its_start_and_leaves_its_end(yard: Yard) -> None:
    writer = yard.writer()
    key = begun(writer)
    for second in range(5):
        yard.turn(writer, key, at=START + dt.timedelta(seconds=second))
    span = {"start": START + dt.timedelta(seconds=1), "end": START + dt.timedelta(seconds=3)}
    assert yard.window(**span)["request_id"].to_list() == ["000001", "000002"]
    writer.close()
    yard.collect()
    assert yard.window(**span)["request_id"].to_list() == ["000001", "000002"]


def test_models_and_requests_of_several_rows_stay_apart(yard: Yard) -> None:
    writer = yard.writer()
    first, second = begun(writer), begun(writer, "a/b c", 7)
    yard.turn(writer, first)
    yard.turn(writer, second, 3)
    writer.close()
    assert yard.collect() == 4
    assert yard.window("m").height == 1
    assert yard.window("a/b c")["version"].to_list() == [7, 7, 7]
    assert yard.window("other").height == 0


def test_an_empty_window_and_a_folder_that_is_not_there(yard: Yard) -> None:
    assert yard.collect() == 0
    rows = yard.window()
    assert rows.height == 0
    assert features(rows).width == 0
    assert rows.schema["at"] == pl.Datetime("us", "UTC")


def every_kind(*, flag: str = "boolean") -> Manifest:
    kinds: Any = {
        "n": "integer",
        "x": "float",
        "version": flag,
        "day": "date",
        "when": "datetime",
        "row": "string",
    }
    schema = Schema(columns=tuple(Column(name=n, kind=k, nullable=True) for n, k in kinds.items()))
    return Manifest(
        model="m",
        task="regression",
        form="onnx",
        frame="pandas",
        schema=schema,
        layout=layout(schema),
        requirements=(),
        python="3.11",
        files=(),
    )


def log_one(
    writer: Writer, manifest: Manifest, numbers: list[float], texts: list[object], version: int = 1
) -> None:
    key = writer.begin(served("m", version=version), manifest)
    batch = SimpleNamespace(numbers=np.array([numbers]), texts=np.array([texts], dtype=object).reshape(1, -1))
    answers: Any = SimpleNamespace(prediction=np.array([2.5]), probability=None, quantiles=None)
    writer.write(key, batch, answers, ids=[b"a"], at=START.timestamp(), latency=0.1)
    writer.close()


def test_features_keep_their_kinds_and_any_name(yard: Yard) -> None:
    nan = math.nan
    log_one(yard.writer(), every_kind(), [1, -math.inf, 1, 365, 1_000_000], ["x"])
    log_one(yard.writer(), every_kind(), [nan] * 5, [None])
    before = yard.window()
    yard.collect()
    assert yard.window().equals(before)
    found = features(yard.window())
    assert found.rows() == [
        (1, -math.inf, True, dt.date(1971, 1, 1), dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), "x"),
        (None,) * 6,
    ]
    assert yard.window()["prediction"].to_list() == [2.5, 2.5]
    assert yard.window()["probability"].to_list() == [None, None]


def test_versions_of_other_kinds_are_kept_and_a_window_over_both_says_so(yard: Yard) -> None:
    log_one(yard.writer(), every_kind(), [1] * 5, ["x"])
    assert yard.collect() == 1
    log_one(yard.writer(), every_kind(flag="string"), [1] * 4, ["x", "y"], 2)
    assert yard.collect() == 1
    with pytest.raises(DataRefused, match="one version"):
        yard.window()
    assert features(yard.window(version=1))["version"].to_list() == [True]
    assert features(yard.window(version=2))["version"].to_list() == ["x"]


def test_versions_with_more_features_share_a_window(yard: Yard) -> None:
    writer = yard.writer()
    log_one(writer, every_kind(), [1] * 5, ["x"])
    other = Schema(columns=(Column(name="x", kind="float"), Column(name="new", kind="float")))
    more = Manifest(
        model="m",
        task="regression",
        form="onnx",
        frame="pandas",
        schema=other,
        layout=layout(other),
        requirements=(),
        python="3.11",
        files=(),
    )
    log_one(yard.writer(), more, [7, 8], [], 2)
    yard.collect()
    rows = yard.window().filter(pl.col("version") == 2)
    assert features(rows).select("x", "new").rows() == [(7.0, 8.0)]


def test_a_damaged_segment_gives_its_intact_frames_and_is_kept(yard: Yard) -> None:
    writer = yard.writer()
    key = begun(writer)
    for _ in range(3):
        yard.turn(writer, key)
    writer.close()
    (segment,) = segments(yard.log)
    segment.path.write_bytes(segment.path.read_bytes().replace(b"000001", b"00000X"))
    assert yard.collect() == 2
    assert [path.suffix for path in sorted(yard.log.iterdir())] == [".damaged", ".lock"]
    assert yard.ids() == ["000000", "000002"]
    assert yard.collect() == 0


def test_two_collectors_at_once_move_each_prediction_once(yard: Yard) -> None:
    for _ in range(20):
        writer = yard.writer()
        yard.turn(writer, begun(writer), 10)
        writer.close()
    command = [sys.executable, "-c", _COLLECT, str(yard.log), str(yard.tables)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    moved = sum(int(process.communicate()[0]) for process in processes)
    assert moved == 200
    assert yard.ids() == sorted({f"{i:06d}" for i in range(200)}, key=int)


_COLLECT = """
import sys
from pathlib import Path
from modelyard.monitoring.collect import collect
print(collect(Path(sys.argv[1]), Path(sys.argv[2]), environment="prod"))
"""

_KILLED = """
import os, signal, sys
from pathlib import Path
from modelyard.monitoring import collect as room
room = sys.modules["modelyard.monitoring.collect"]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, sys.argv[3], die)
room.collect(Path(sys.argv[1]), Path(sys.argv[2]), environment="prod")
"""


@pytest.mark.parametrize("moment", ["write_deltalake", "synced"])
def test_a_collector_killed_around_its_commit_loses_and_doubles_nothing(yard: Yard, moment: str) -> None:
    """``synced`` comes after the commit and before the segments go."""
    writer = yard.writer(size=1500)
    key = begun(writer)
    for _ in range(50):
        yard.turn(writer, key)
    command = [sys.executable, "-c", _KILLED, str(yard.log), str(yard.tables), moment]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    left = len(segments(yard.log))
    wanted = [f"{i:06d}" for i in range(50)]
    assert left > 2
    assert yard.ids() == wanted
    yard.turn(writer, key)
    yard.collect()
    writer.close()
    yard.collect()
    assert segments(yard.log) == []
    assert yard.ids() == [*wanted, "000050"]


def test_windows_during_writing_and_collecting_are_whole(yard: Yard) -> None:
    writer = yard.writer(size=3000)
    key = begun(writer)
    done = threading.Event()
    torn: list[str] = []

    def look() -> None:
        while not done.is_set():
            low = yard.count - 1
            found = yard.ids()
            if found != [f"{i:06d}" for i in range(len(found))] or len(found) < low:
                torn.append(f"{len(found)} of {low}")

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(6):
        for _ in range(40):
            yard.turn(writer, key)
        yard.collect()
    done.set()
    watcher.join()
    assert torn == []


def test_transactions_outlive_a_checkpoint(yard: Yard) -> None:
    """What tells a collected segment must not be lost when Delta sums up its log."""
    writer = yard.writer()
    yard.turn(writer, begun(writer))
    writer.close()
    (segment,) = segments(yard.log)
    content = segment.path.read_bytes()
    yard.collect()
    (path,) = (yard.tables / "predictions" / "prod" / "m").iterdir()
    DeltaTable(path).create_checkpoint()
    (path / "_delta_log" / f"{0:020}.json").unlink()
    segment.path.write_bytes(content)  # as if it had not been deleted
    assert yard.ids() == ["000000"]
    assert yard.collect() == 0
    assert yard.ids() == ["000000"]


def test_a_damaged_table_is_an_outage(yard: Yard) -> None:
    writer = yard.writer()
    yard.turn(writer, begun(writer))
    writer.close()
    yard.collect()
    for part in yard.tables.rglob("*.parquet"):
        part.write_bytes(b"nothing")
    with pytest.raises(StoreDown, match="cannot be read"):
        yard.window()


def test_what_a_killed_writer_left_half_made_goes_after_an_hour(yard: Yard) -> None:
    yard.log.mkdir()
    for name, age in (("old", 4000), ("young", 60)):
        path = yard.log / f"000-{name}-00000001.new"
        path.write_bytes(b"")
        os.utime(path, (time.time() - age, time.time() - age))
    assert yard.collect() == 0
    assert [path.name for path in yard.log.glob("*.new")] == ["000-young-00000001.new"]


def test_tables_that_cannot_be_written_leave_the_segments(yard: Yard) -> None:
    writer = yard.writer()
    yard.turn(writer, begun(writer))
    writer.close()
    yard.tables.write_text("in the way")
    with pytest.raises(StoreDown, match="cannot be collected"):
        yard.collect()
    yard.tables.unlink()
    assert yard.collect() == 1
