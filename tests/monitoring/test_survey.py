"""A window's counts and drawn rows: the same however its rows lie in files, kept or read again."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.errors import StoreDown
from modelyard.monitoring import (
    Compacted,
    Survey,
    compact,
    count_features,
    count_predictions,
    strays,
    survey,
    told,
    versions,
)
from modelyard.monitoring.collect import collect
from modelyard.monitoring.draw import Draw
from modelyard.monitoring.kept import HOME
from modelyard.monitoring.reading import window
from modelyard.predictions import Writer
from modelyard.records.outcome import Outcome
from modelyard.storage.filelock import held
from modelyard.tables.batch import Batch
from modelyard.tables.profile import anchor, anchor_answers, identity
from modelyard.testing.prediction_sink import manifest, served

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
COLOURS = np.array(["red", "green", "blue", None], dtype=object)
MANIFEST = manifest("m")
random = np.random.default_rng(1)
LEARNT = Batch(random.normal(size=(500, 1)), random.choice(COLOURS[:3], (500, 1)))
FEATURES = anchor(LEARNT, MANIFEST.schema, bins=16)
SURE = np.tile([0.25, 0.75], (500, 1)) + random.uniform(-0.2, 0.2, (500, 1)) * [1, -1]
ANSWERS = anchor_answers(
    np.array(["yes"] * 500, dtype=object), SURE, task="binary", classes=("no", "yes"), bins=16
)


class Log:
    """Predictions of two versions, collected a lot at a time, so that each lot is a file."""

    def __init__(self, folder: Path) -> None:
        self.log, self.tables = folder / "log", folder / "tables"
        self.ids = 0
        self.random = np.random.default_rng(0)

    def lot(self, *turns: tuple[float, int, int], collected: bool = True) -> None:
        """Turns of hours since the start, version and number of rows."""
        writer = Writer(self.log, 0)
        keys = {v: writer.begin(served("m", version=v), manifest("m")) for v in (1, 2)}
        for hours, version, n in turns:
            share = self.random.uniform(0, 1, (n, 1))
            batch: Any = SimpleNamespace(
                numbers=self.random.normal(0.5, 1, (n, 1)), texts=self.random.choice(COLOURS, (n, 1))
            )
            answers: Any = SimpleNamespace(
                prediction=np.where(share[:, 0] > 0.5, "no", "yes").astype(object),
                probability=np.hstack([share, 1 - share]),
                quantiles=None,
            )
            ids = [b"%08d" % (self.ids + i) for i in range(n)]
            self.ids += n
            moment = (START + hours * HOUR).timestamp()
            writer.write(keys[version], batch, answers, ids=ids, at=moment, latency=0.01)
            writer.flush()
        writer.close()
        if collected:
            collect(self.log, self.tables, environment="prod")

    def survey(self, first: float, last: float, *, most: int | None = 40, version: int = 1) -> Survey:
        return survey(
            self.tables,
            self.log,
            environment="prod",
            model="m",
            start=START + first * HOUR,
            end=START + last * HOUR,
            version=version,
            manifest=MANIFEST,
            features=FEATURES,
            answers=ANSWERS,
            most=most,
        )

    def direct(self, first: float, last: float, *, version: int = 1) -> tuple[str, str, pl.DataFrame]:
        """The same from all rows at once."""
        span = {"start": START + first * HOUR, "end": START + last * HOUR}
        rows = window(self.tables, self.log, environment="prod", model="m", version=version, **span)
        counted = count_features(rows, MANIFEST.schema, FEATURES), count_predictions(rows, MANIFEST, ANSWERS)
        return identity(counted[0]), identity(counted[1]), rows

    @property
    def home(self) -> Path:
        return self.tables / "predictions/prod/m"

    def compact(self, until: float = 24) -> Compacted:
        return compact(self.home, until=START + until * HOUR, hourly=True)

    def kept(self) -> list[Path]:
        return sorted(self.home.glob(f"*/{HOME}/*"))

    def files(self) -> list[Path]:
        return sorted(self.home.glob("*/*.parquet"))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def said(found: Survey) -> tuple[str, str, list[tuple[Any, ...]]]:
    return identity(found.features), identity(found.answers), found.drawn.rows()


def shown(rows: pl.DataFrame) -> list[str]:
    if rows.is_empty():
        return []
    return sorted(map(str, rows.select("at", "latency", "prediction", "probability", "features").rows()))


turns = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 0.999, 1.0, 1.5, 2.25]), st.sampled_from([1, 2]), st.integers(1, 30)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lots=st.lists(turns, min_size=1, max_size=4),
    spans=st.lists(st.sampled_from([(0, 1), (0, 3), (0.5, 1.5), (1, 2), (0.25, 2)]), min_size=1, max_size=3),
    tail=turns,
)
def test_sums_of_files_are_what_all_rows_at_once_say(
    tmp_path: Path, lots: list[Any], spans: list[tuple[float, float]], tail: list[Any]
) -> None:
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    log = Log(folder)
    for lot in lots:
        log.lot(*lot)
    log.lot(*tail, collected=False)
    for first, last in [*spans, *spans]:
        for version in (1, 2):
            features, answers, rows = log.direct(first, last, version=version)
            found = log.survey(first, last, version=version)
            assert (identity(found.features), identity(found.answers)) == (features, answers)
            draw = Draw(40)
            draw.add(rows)
            assert shown(found.drawn) == sorted(row for part in draw.drawn() for row in shown(part))
            whole = log.survey(first, last, version=version, most=None).drawn
            assert whole["at"].to_list() == rows["at"].to_list()
            assert shown(whole) == shown(rows)


def test_files_that_were_counted_are_not_read_again(log: Log) -> None:
    for hour in range(4):
        log.lot((hour, 1, 300), (hour + 0.5, 1, 300))
    before = said(log.survey(0, 4))
    assert len(log.kept()) == 8
    for file in log.files():
        file.write_bytes(b"gone")
    assert said(log.survey(0, 4)) == before
    assert said(log.survey(0, 2)) != before
    with pytest.raises(StoreDown):
        log.survey(0.25, 4)  # the first file is at the edge
    with pytest.raises(StoreDown):
        log.survey(0, 4, most=None)


def test_what_is_kept_is_for_those_edges_and_that_version(log: Log) -> None:
    log.lot((0, 1, 50), (0.5, 2, 70))
    assert [log.survey(0, 1, version=v).features.rows for v in (1, 2, 1, 2)] == [50, 70, 50, 70]
    assert versions(log.tables, log.log, environment="prod", model="m", start=START, end=START + HOUR) == [
        1,
        2,
    ]
    short = {"start": START, "end": START + HOUR / 4}
    assert versions(log.tables, log.log, environment="prod", model="m", **short) == [1]
    assert len({path.name for path in log.kept()}) == 4


@pytest.mark.parametrize("damage", ["empty", "torn", "other", "absent"])
def test_what_is_kept_and_damaged_is_counted_again(log: Log, damage: str) -> None:
    log.lot((0, 1, 400), (0.5, 1, 200))
    before = said(log.survey(0, 1))
    for path in log.kept():
        content = path.read_bytes()
        if damage == "absent":
            path.unlink()
        else:
            path.write_bytes(
                {"empty": b"", "torn": content[: len(content) // 2], "other": b"\x93abc"}[damage]
            )
    assert said(log.survey(0, 1)) == before
    assert said(log.survey(0, 1)) == before


def test_a_sample_alone_that_is_damaged_is_drawn_again(log: Log) -> None:
    log.lot((0, 1, 600))
    before = said(log.survey(0, 1))
    sample = next(path for path in log.kept() if path.suffix == ".sample")
    sample.write_bytes(sample.read_bytes()[:-9])
    assert said(log.survey(0, 1)) == before


def test_where_nothing_can_be_kept_it_is_counted_each_time(log: Log) -> None:
    log.lot((0, 1, 60))
    for shape in (log.tables / "predictions/prod/m").iterdir():
        (shape / HOME).write_text("in the way")
    assert said(log.survey(0, 1)) == said(log.survey(0, 1))


def test_rows_of_the_last_millisecond_are_of_the_window_that_has_them(log: Log) -> None:
    """The table's log tells times to the millisecond before."""
    late = (0.5 + 0.0004 / 3600, 1, 3)
    log.lot(late)
    log.lot((0.75, 1, 5))
    assert log.survey(0, 0.5 + 0.0002 / 3600).features.rows == 0
    assert log.survey(0.5 + 0.0002 / 3600, 1).features.rows == 8
    assert log.direct(0.5 + 0.0002 / 3600, 1)[2].height == 8


def test_an_empty_window_and_a_log_that_is_not_there(log: Log) -> None:
    assert log.survey(0, 1).features.rows == 0
    log.lot((0, 1, 5))
    found = log.survey(5, 6)
    assert (found.features.rows, found.answers.rows, found.drawn.height) == (0, 0, 0)
    assert log.survey(0, 1, version=9).features.rows == 0


def test_rows_are_drawn_alike_from_all_of_them(log: Log) -> None:
    log.lot((0, 1, 4000), (0.9, 1, 4000))
    drawn = log.survey(0, 1, most=1000).drawn
    assert drawn.height == 1000
    early = drawn.filter(pl.col("at") < START + HOUR / 2).height
    assert 420 < early < 580  # five deviations of a fair coin
    assert drawn["at"].is_sorted()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lots=st.lists(turns, min_size=2, max_size=5),
    late=turns,
    spans=st.lists(st.sampled_from([(0, 1), (0, 3), (0.5, 1.5), (1, 2), (0.25, 2)]), min_size=1, max_size=3),
    until=st.sampled_from([1, 2, 24]),
)
def test_any_window_says_the_same_before_and_after_its_files_are_put_together(
    tmp_path: Path, lots: list[Any], late: list[Any], spans: list[tuple[float, float]], until: float
) -> None:
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    log = Log(folder)
    for lot in lots:
        log.lot(*lot)
    for more in ((), late):
        if more:
            log.lot(*more)
        before = {(span, v): said(log.survey(*span, version=v)) for span in spans for v in (1, 2)}
        rows = {span: log.direct(*span)[2] for span in spans}
        log.compact(until)
        for (span, v), found in before.items():
            assert said(log.survey(*span, version=v)) == found
        for span in spans:
            assert log.direct(*span)[2].equals(rows[span])
    assert log.compact(until) == Compacted()


def test_files_are_put_together_by_the_hour_once_it_is_over(log: Log) -> None:
    for _ in range(6):
        log.lot((0.1, 1, 20), (0.9, 1, 20), (1.5, 1, 20), (2.5, 1, 20))
    assert log.compact(until=2) == Compacted()  # each file has rows of an hour that is not over
    assert log.compact(until=3) == Compacted(6, 3)
    gone = set(strays(log.home))
    assert len(gone) == 6
    assert len(log.files()) == 9
    for file in gone:
        file.unlink()
    assert [log.survey(at, at + 1, most=None).features.rows for at in range(3)] == [240, 120, 120]
    log.lot((0.2, 1, 7))
    assert log.compact() == Compacted(2, 1)
    assert log.survey(0, 1).features.rows == 247


_KILLED = """
import datetime as dt, importlib, os, signal, sys
from pathlib import Path
room = importlib.import_module("modelyard.monitoring.compact")
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "synced":
    room.synced = die
elif sys.argv[2] == "written":
    room._File.close = die
else:
    room.RemoveAction = die
room.compact(Path(sys.argv[1]), until=dt.datetime(2027, 1, 1, tzinfo=dt.UTC), hourly=True)
"""


@pytest.mark.parametrize("moment", ["written", "closed", "synced"])
def test_a_process_killed_while_it_puts_files_together_loses_and_doubles_nothing(
    log: Log, moment: str
) -> None:
    """``synced`` comes after the commit, the others before it."""
    for _ in range(4):
        log.lot((0.1, 1, 30), (1.5, 1, 30))
    before = said(log.survey(0, 2))
    command = [sys.executable, "-c", _KILLED, str(log.home), moment]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert said(log.survey(0, 2)) == before
    for file in strays(log.home):
        file.unlink()
    assert said(log.survey(0, 2)) == before
    assert log.compact() == (Compacted() if moment == "synced" else Compacted(4, 2))
    assert said(log.survey(0, 2)) == before
    assert log.direct(0, 2)[2].height == 240


_LOOP = """
import datetime as dt, sys
from pathlib import Path
from modelyard.monitoring import compact
while True:
    compact(Path(sys.argv[1]), until=dt.datetime(2027, 1, 1, tzinfo=dt.UTC), hourly=True)
"""


def test_files_are_put_together_while_others_collect_and_look(log: Log) -> None:
    log.lot((0.1, 1, 10))
    other = subprocess.Popen([sys.executable, "-c", _LOOP, str(log.home)])
    try:
        for n in range(2, 25):
            log.lot((0.1, 1, 10))
            assert log.survey(0, 1).features.rows == 10 * n
    finally:
        other.kill()
        other.wait()
    ids = log.direct(0, 1)[2]["request_id"]
    assert (ids.len(), ids.n_unique()) == (240, 240)


def test_two_at_once_and_nothing_there(log: Log) -> None:
    assert log.compact() == Compacted()
    assert list(strays(log.home)) == []
    log.lot((0, 1, 5))
    log.lot((0, 1, 5))
    with held(next(log.home.iterdir()) / ".compacting", wait=0):
        assert log.compact() == Compacted()
    assert log.compact() == Compacted(2, 1)


def test_a_file_that_cannot_be_read_leaves_everything_as_it_was(log: Log) -> None:
    log.lot((0, 1, 5))
    log.lot((0, 1, 5))
    file = log.files()[1]
    content = file.read_bytes()
    file.write_bytes(content[:100])
    with pytest.raises(StoreDown, match="put together"):
        log.compact()
    assert len(log.files()) == 2
    file.write_bytes(content)
    assert log.survey(0, 1).features.rows == 10


def test_outcomes_are_put_together_in_the_order_of_their_arrival(log: Log) -> None:
    for n in range(5):
        writer = Writer(log.log, 0)
        writer.outcomes("m", [Outcome(f"{n}", "yes", n % 2, 12.5 if n else None)], at=START.timestamp() + n)
        writer.close()
        collect(log.log, log.tables, environment="prod")
    before = told(log.tables, log.log, environment="prod", model="m")
    home = log.tables / "outcomes/prod"
    assert compact(home, until=START, hourly=False) == Compacted(5, 1)
    assert told(log.tables, log.log, environment="prod", model="m").equals(before)
    assert len(list(strays(home))) == 5
