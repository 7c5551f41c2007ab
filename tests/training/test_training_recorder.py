"""What a training logs, from the author's call to what is read back."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import modelyard as my
from modelyard.training import recorder as recorder_
from modelyard.training.points import of_parquet, parquet, summaries
from modelyard.training.recorded import facts, points
from modelyard.training.recorder import recording

BAR = {"mark": "bar", "data": {"values": [{"a": 1, "b": math.nan}]}}


def series(folder: Path, name: str) -> list[tuple[int, float]]:
    number = {v: k for k, v in facts(folder).metrics.items()}[name]
    found = points(folder)
    return [(int(p["step"]), float(p["value"])) for p in found[found["metric"] == number]]


def test_outside_of_a_run_logging_does_nothing(tmp_path: Path) -> None:
    my.log_metric("loss", 1.0)
    my.log_param("x", 1)
    my.log_artifact(tmp_path / "nothing")
    my.log_chart("c", 3)
    with recording(tmp_path):
        pass
    my.log_metric("late", 1.0)
    assert facts(tmp_path).metrics == {}
    assert len(points(tmp_path)) == 0


def test_points_come_back_in_order_with_their_steps(tmp_path: Path) -> None:
    began = time.time()
    with recording(tmp_path):
        for at in range(5):
            my.log_metric("loss", 1 / (at + 1))
            my.log_metric("at", np.float32(at), step=np.int64(at * 10))
        my.log_metric("at", True)
        assert series(tmp_path, "loss")[-1] == (4, 0.2)
    assert series(tmp_path, "loss") == [(at, 1 / (at + 1)) for at in range(5)]
    assert series(tmp_path, "at") == [*((at * 10, float(at)) for at in range(5)), (41, 1.0)]
    times = points(tmp_path)["time"]
    assert (np.diff(times) >= 0).all()
    assert began - 1 < times[0] <= times[-1] < time.time() + 1
    assert len(points(tmp_path, after=8)) == 3


def test_values_that_are_not_finite_are_kept_and_told(tmp_path: Path) -> None:
    with recording(tmp_path):
        for value in (math.nan, math.inf, -math.inf, 2.0, math.nan):
            my.log_metric("m", value)
        my.log_metric("n", math.nan)
        my.log_metric("huge", 1e308)
        my.log_metric("huge", -1e308)
    found = summaries(points(tmp_path), facts(tmp_path).metrics)
    assert [(s.name, s.points, s.last, s.least, s.most, s.shape) for s in found] == [
        ("m", 5, "nan", 2.0, 2.0, "···▁·"),
        ("n", 1, "nan", "nan", "nan", "·"),
        ("huge", 2, -1e308, -1e308, 1e308, "█▁"),
    ]
    stored = parquet(points(tmp_path), facts(tmp_path).metrics)
    assert of_parquet(stored) == found
    frame = pl.read_parquet(io.BytesIO(stored))
    assert frame.columns == ["metric", "step", "time", "value"]
    assert frame["time"].dtype == pl.Datetime("us", "UTC")


def test_a_million_points_take_little(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; import modelyard as my\n"
        "from modelyard.training.recorder import recording\n"
        "with recording(Path(sys.argv[1])):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    for step in range(1_000_000): my.log_metric('loss', step)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 64 * 1024  # the file's own pages, in KiB
    assert len(points(tmp_path)) == 1_000_000
    assert len(parquet(points(tmp_path), facts(tmp_path).metrics)) < 16_000_000


def test_a_killed_process_loses_no_point(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import modelyard as my\n"
        "from modelyard.training.recorder import recording\n"
        "with recording(Path(sys.argv[1])):\n"
        "    for step in range(10**9):\n"
        "        my.log_metric('loss', step); print(step, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 5000:
                process.send_signal(signal.SIGKILL)
                break
        said = 5000 + sum(1 for line in process.stdout if line.endswith("\n"))
    found = points(tmp_path)
    assert len(found) >= said
    assert found["value"].tolist() == list(range(len(found)))


def test_threads_log_side_by_side_and_forked_processes_not_at_all(tmp_path: Path) -> None:
    with recording(tmp_path):
        threads = [
            threading.Thread(target=lambda n=n: [my.log_metric(n, at) for at in range(5000)])
            for n in ("a", "b", "c")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if (pid := os.fork()) == 0:
            my.log_metric("a", -1.0)
            my.log_param("forked", 1)
            os._exit(0)
        os.waitpid(pid, 0)
    for name in ("a", "b", "c"):
        assert series(tmp_path, name) == [(at, float(at)) for at in range(5000)]
    assert facts(tmp_path).params == {}


def test_params_files_and_charts_are_kept(tmp_path: Path) -> None:
    run, source = tmp_path / "run", tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_text("one")
    (source / "deep" / "b.txt").write_text("two")

    class Figure:
        def savefig(self, file: Any, **_: Any) -> None:
            file.write(b"<svg/>")

    class Axes:
        figure = Figure()

    with recording(run):
        my.log_param("depth", 3)
        my.log_param("depth", 4)
        my.log_param("rate", math.nan)
        my.log_param("many", [1, 2])
        my.log_artifact(source / "a.txt")
        (source / "a.txt").write_text("changed later")
        my.log_artifact(source, name="all")
        my.log_chart("bars", BAR)
        my.log_chart("figure", Figure())
        my.log_chart("axes", Axes())
    found = facts(run)
    assert found.params == {"depth": 4, "rate": "nan", "many": "[1, 2]"}
    kept = {name: (file.kind, file.path.read_text()) for name, file in found.files.items()}
    assert kept["a.txt"] == ("file", "one")
    assert kept["all/a.txt"] == ("file", "changed later")
    assert kept["all/deep/b.txt"] == ("file", "two")
    assert json.loads(kept["bars"][1])["data"]["values"] == [{"a": 1, "b": None}]
    assert kept["figure"] == kept["axes"] == ("svg", "<svg/>")


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: my.log_metric("", 1), ValueError, "my.log_metric takes a name of 1 to 200 printable"),
        (lambda: my.log_metric("a\nb", 1), ValueError, "printable"),
        (lambda: my.log_metric("x" * 201, 1), ValueError, "1 to 200"),
        (lambda: my.log_metric(["l"], 1), ValueError, "takes a name"),  # type: ignore[arg-type]
        (lambda: my.log_metric("m", "high"), TypeError, "takes a number and a whole step, got 'high'"),  # type: ignore[arg-type]
        (lambda: my.log_metric("m", 1.0, step=0.5), TypeError, "whole step"),  # type: ignore[arg-type]
        (lambda: my.log_metric("m", 1.0, step=2**70), TypeError, "whole step"),
        (lambda: my.log_param(3, 1), ValueError, "my.log_param takes a name"),  # type: ignore[arg-type]
        (lambda: my.log_artifact("/no/such/file"), FileNotFoundError, "/no/such/file"),
        (lambda: my.log_chart("c", [1]), TypeError, "got a list"),
    ],
)
def test_what_cannot_be_logged_is_said_and_the_rest_goes_on(
    tmp_path: Path, call: Any, error: type[Exception], says: str
) -> None:
    with recording(tmp_path):
        my.log_metric("good", 1.0)
        with pytest.raises(error, match=says):
            call()
        my.log_metric("good", 2.0)
    assert series(tmp_path, "good") == [(0, 1.0), (1, 2.0)]


def test_names_and_points_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recorder_, "MOST_POINTS", 100)
    with recording(tmp_path):
        for at in range(300):
            my.log_metric("m", at)
        for at in range(999):
            my.log_metric(f"m{at}", at)
        with pytest.raises(ValueError, match="at most 1000 metrics"):
            my.log_metric("one more", 1)
        for at in range(1000):
            my.log_param(f"p{at}", at)
        with pytest.raises(ValueError, match="at most 1000"):
            my.log_param("one more", 1)
    assert len(points(tmp_path)) == 100
    assert capfd.readouterr().err == "modelyard: only the first 100 points are kept\n"


def test_what_was_spoilt_is_left_out(tmp_path: Path) -> None:
    with recording(tmp_path):
        my.log_param("good", 1)
        my.log_metric("m", 1.0)
    with (tmp_path / "facts.jsonl").open("a") as file:
        file.write(
            '{"param": "nan", "value": NaN}\nnonsense\n{"file": "x", "kind": "file", "place": "../../etc"}\n[]\n{"par'
        )
    with (tmp_path / "points.bin").open("ab") as file:
        file.write(b"\1" * 7)
    assert facts(tmp_path).params == {"good": 1, "nan": "nan"}
    assert facts(tmp_path).files == {}
    assert len(points(tmp_path)) == 1
