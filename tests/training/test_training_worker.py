"""Real processes that train, hang, crash and are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelyard as my
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch
from modelyard.training import LOG, Limits, Worker, halt
from modelyard.training.log import Log
from modelyard.training.messages import Begin
from modelyard.training.rows import Rows, read, write

SCHEMA = Schema(
    columns=(
        Column(name="a", kind="float"),
        Column(name="t", kind="string", nullable=True),
        Column(name="y", kind="float"),
    ),
    target="y",
)
LINEAR = """
import modelyard as my
from sklearn.linear_model import Ridge
SPACE = {"alpha": my.log_uniform(1e-3, 1e3, default=1.0), "n": my.integer(1, 3, default=2), "c": my.choice(["a", 1], default=1)}
def train(data, params):
    print("alpha", params["alpha"], len(data.features))
    return Ridge(params["alpha"]).fit(data.features[["a"]], data.target)
def predict(model, rows):
    return model.predict(rows[["a"]])
"""
Bench = Callable[..., Worker]


def rows(n: int = 60) -> Rows:
    a = np.arange(n, dtype=float)
    texts = np.array([[None if i % 5 == 0 else f"t{i}"] for i in range(n)], dtype=object)
    return Rows(Batch(a.reshape(n, 1), texts), 2 * a + 1, np.arange(n) % 3)


@pytest.fixture
def bench(folder: Callable[..., Path], tmp_path: Path) -> Iterator[Bench]:
    """A worker on the rows above, whose model's code is given."""
    made: list[Worker] = []

    def open_(source: str, **limits: Any) -> Worker:
        code = folder(model=source)
        place = tmp_path / f"run{len(made)}"
        place.mkdir()
        worker = Worker(code, place, cwd=tmp_path, limits=Limits(**limits))
        made.append(worker)
        worker.space()
        worker.begin(
            Begin(
                rows=str(write(rows(), place / "rows")),
                schema=SCHEMA,
                task="regression",
                classes=(),
                seed=3,
            )
        )
        return worker

    yield open_
    for worker in made:
        worker.close()


def train(*lines: str) -> str:
    return "import os, sys, time, subprocess\nimport numpy as np\ndef train(data, params):\n" + "".join(
        f"    {line}\n" for line in lines
    )


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    given = rows(7)
    for target in (given.target, np.array(["a", "ß", "\ue000"] * 2 + [""], dtype=object), given.target > 3):
        found = read(write(Rows(given.batch, target), tmp_path / str(target.dtype)))
        assert np.array_equal(found.batch.numbers, given.batch.numbers)
        assert found.batch.texts.tolist() == given.batch.texts.tolist()
        assert found.target.dtype == target.dtype
        assert found.target.tolist() == target.tolist()
        assert found.folds is None
    assert read(write(given, tmp_path / "folds")).folds.tolist() == given.folds.tolist()


def test_one_process_does_many_fits_and_scores(bench: Bench, tmp_path: Path) -> None:
    worker = bench(LINEAR)
    first = worker.fit({})
    assert first.params == {"alpha": 1.0, "n": 2, "c": 1}
    near = worker.score({"alpha": 0.001}, fold=0, metric="rmse")
    far = worker.score({"alpha": 1000.0}, fold=0, metric="rmse")
    assert near.value is not None
    assert far.value is not None
    assert near.value < far.value
    assert (near.rows, near.params["alpha"]) == (20, 0.001)
    ahead = worker.score({}, fold=1, metric="rmse", forward=True)
    assert ahead.rows == 20
    with pytest.raises(DataRefused, match="no rows"):
        worker.score({}, fold=0, metric="rmse", forward=True)
    worker.close()
    printed = (tmp_path / "run0" / LOG).read_text().splitlines()
    assert [line.split()[-1] for line in printed] == ["60", "40", "40", "20"]
    assert worker.resources.cpu_seconds > 0
    assert worker.resources.peak_bytes > 20_000_000
    assert worker.resources.wall_seconds > 0


def test_space_comes_back_as_the_author_wrote_it(folder: Callable[..., Path], tmp_path: Path) -> None:
    with Worker(folder(model=LINEAR), tmp_path, cwd=tmp_path) as worker:
        assert worker.space() == {
            "alpha": my.log_uniform(1e-3, 1e3, default=1.0),
            "n": my.integer(1, 3, default=2),
            "c": my.choice(["a", 1], default=1),
        }


def test_a_job_that_fails_leaves_the_process_as_it_was(bench: Bench) -> None:
    worker = bench(LINEAR)
    with pytest.raises(SettingsError, match="no parameter 'beta'"):
        worker.fit({"beta": 1})
    assert worker.fit({}).seconds > 0


def test_what_it_prints_is_kept_and_nothing_can_be_read(bench: Bench, capfd: Any, tmp_path: Path) -> None:
    worker = bench(
        "print('at import')\n"
        + train(
            "import warnings, logging",
            "print('to out'); print('to err', file=sys.stderr); os.write(1, b'by number\\n')",
            "warnings.warn('watch out'); logging.getLogger('x').error('logged'); print('\\ud800')",
            "subprocess.run(['echo', 'from below'])",
            "input()",
        )
    )
    with pytest.raises(AuthorError, match=r"line \d+ \('input\(\)'\): EOFError") as caught:
        worker.fit({})
    worker.close()
    kept = (tmp_path / "run0" / LOG).read_text()
    for text in (
        *("at import", "to out", "to err", "by number", "watch out", "logged", "\\ud800", "from below"),
    ):
        assert text in kept
        assert text in caught.value.__notes__[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "print('a'); os._exit(7)",
            r"exit code 7 at models/m/model.py, line 4 \(\"print\('a'\); os._exit\(7\)\"\)",
        ),
        (
            "os.kill(os.getpid(), 9)",
            r"killed from outside \(SIGKILL\) when its process had taken 0\.\d\d GiB",
        ),
        ("import ctypes; ctypes.string_at(0)", r"crashed with SIGSEGV at models/m/model.py, line 4 \("),
        ("os.abort()", r"crashed with SIGABRT at models/m/model.py, line 4 \('os.abort\(\)'\)"),
    ],
)
def test_a_process_that_ends_amid_its_work_is_blamed_by_line(bench: Bench, line: str, says: str) -> None:
    worker = bench(train(line))
    with pytest.raises(AuthorError, match=says) as caught:
        worker.fit({})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["while True: pass", "time.sleep(600)", "sum(range(10**12))"])
def test_a_hang_is_ended_and_blamed_by_line(bench: Bench, line: str) -> None:
    worker = bench(train(line), seconds=8.0)
    with pytest.raises(
        AuthorError, match=r"did not end within the 8 seconds .* line 4 \('" + re.escape(line)
    ):
        worker.fit({})


def test_each_trial_has_its_time(bench: Bench) -> None:
    worker = bench(LINEAR, seconds=600.0)
    worker.renew()
    assert worker.score({}, fold=2, metric="r2").value is not None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "np.ones(10**9)",
            r"line 4 \('np.ones\(10\*\*9\)'\): MemoryError: Unable to allocate .* memory_gb = 0.25\.",
        ),
        (
            "x = [0]; [x.append(str(i) * 99) for i in range(10**8)]",
            r"line 4 .*MemoryError; .* memory_gb = 0.25\.",
        ),
        (
            "c = [subprocess.Popen([sys.executable, '-c', 'x=bytearray(10**8); input()'], stdin=-1) for _ in '12345']; time.sleep(60)",
            r"the processes that it started took 0\.\d+ GiB, more than memory_gb = 0.25, and were stopped at .*line 4",
        ),
    ],
)
def test_more_memory_than_it_may_take_is_blamed_by_line(bench: Bench, line: str, says: str) -> None:
    worker = bench(train(line), memory=2**28)
    with pytest.raises(AuthorError, match=says):
        worker.fit({})


def test_a_limit_of_memory_ends_with_the_training(bench: Bench) -> None:
    worker = bench(LINEAR, memory=2**29)
    for _ in range(3):
        assert worker.fit({}).seconds > 0


def test_everything_that_it_started_ends_with_it(bench: Bench, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    worker = bench(
        train(
            "child = subprocess.Popen(['sleep', '600']); fork = os.fork() or time.sleep(600)",
            f"open({str(pids)!r}, 'w').write(f'{{child.pid}} {{fork}}')",
            "os._exit(1)",
        )
    )
    with pytest.raises(AuthorError, match="exit code 1"):
        worker.fit({})
    worker.close()
    assert_gone(int(pid) for pid in pids.read_text().split())


def test_it_ends_when_whoever_asked_is_killed(folder: Callable[..., Path], tmp_path: Path) -> None:
    code = folder(model=train("open('pid', 'w').write(str(os.getpid()))", "time.sleep(600)"))
    write(rows(), tmp_path / "rows")
    script = """
from pathlib import Path
from tests_rows import SCHEMA
"""
    script = (
        "import sys; from pathlib import Path\n"
        "from modelyard.training import Worker\nfrom modelyard.training.messages import Begin\n"
        "from modelyard.records.schema import Column, Schema\n"
        "s = Schema(columns=(Column(name='a', kind='float'), Column(name='t', kind='string', nullable=True),"
        " Column(name='y', kind='float')), target='y')\n"
        f"w = Worker(Path({str(code)!r}), Path({str(tmp_path)!r}), cwd=Path({str(tmp_path)!r}))\n"
        f"w.begin(Begin(rows={str(tmp_path / 'rows')!r}, schema=s, task='regression', classes=(), seed=0))\n"
        "w.fit({})\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", script])
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):
        assert asking.poll() is None
        time.sleep(0.02)
    asking.kill()
    asking.wait()
    assert_gone([int(pid.read_text())])


def test_halt_ends_a_training_of_another_thread(bench: Bench) -> None:
    worker = bench(train("time.sleep(600)"))
    threading.Timer(0.3, halt).start()
    with pytest.raises(KeyboardInterrupt):
        worker.fit({})


def test_a_gigabyte_of_output_takes_little(bench: Bench, tmp_path: Path) -> None:
    worker = bench(
        train(
            "print('the beginning')",
            "for _ in range(1000): print('x' * 100_000)",
            "print('the end')",
            "return 1",
        )
        + "def predict(m, rows): return [1.0] * len(rows)\n"
    )
    worker.fit({})
    worker.close()
    log = tmp_path / "run0" / LOG
    text = log.read_text()
    assert log.stat().st_size < 2_000_000
    assert text.startswith("the beginning\n")
    assert text.endswith("the end\n")
    left = re.findall(r"\[(\d+) bytes are left out here\]", text)
    assert len(left) == 1
    mark = len(f"\n[{left[0]} bytes are left out here]\n")
    whole = len("the beginning\nthe end\n") + 1000 * 100_001
    assert int(left[0]) + log.stat().st_size - mark == whole


def test_a_log_keeps_all_of_what_is_not_too_much(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.txt", head=10, tail=20)
    os.write(log.write, b"0123456789" * 5)
    log.settle()
    assert (tmp_path / "log.txt").read_bytes() == b"0123456789" * 5
    os.write(log.write, b"!")
    log.settle()
    log.handed_over()
    log.close()
    assert (
        tmp_path / "log.txt"
    ).read_bytes() == b"0123456789\n[21 bytes are left out here]\n1234567890123456789!"


def assert_gone(pids: Any) -> None:
    for pid in pids:
        for _ in range(500):
            try:
                os.kill(pid, 0)
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                    break
            except (ProcessLookupError, FileNotFoundError):
                break
            time.sleep(0.02)
        else:
            os.kill(pid, signal.SIGKILL)
            pytest.fail(f"process {pid} lives on")
