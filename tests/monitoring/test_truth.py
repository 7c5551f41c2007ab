"""From what was told to what is true of each prediction: late, repeated, corrected, early, of nobody."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelyard import monitoring
from modelyard.errors import DataRefused
from modelyard.predictions import Writer, open_writer, segments
from modelyard.records.outcome import CLIENT, Outcome
from modelyard.records.schema import Column, Schema
from modelyard.testing.prediction_sink import manifest, served

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SCHEMA = Schema(
    columns=(
        Column(name="size", kind="float", nullable=True),
        Column(name="colour", kind="string", nullable=True),
        Column(name="truth", kind="string"),
    ),
    target="truth",
)
PLACE = {"environment": "prod", "model": "m"}


class Yard:
    """A log, its tables, and both ends of them."""

    def __init__(self, folder: Path) -> None:
        self.log, self.tables = folder / "log", folder / "tables"

    def predict(
        self, *ids: str, at: dt.datetime = NOON, client: str | None = None, rows: int = 1, **more: Any
    ) -> None:
        writer = open_writer(self.log, 0)
        key = writer.begin(served("m", version=more.get("version", 1)), manifest("m"))
        n = len(ids) * rows
        batch = SimpleNamespace(
            numbers=np.full((n, 1), more.get("size", 1.0)),
            texts=np.full((n, 1), more.get("colour", "red"), dtype=object),
        )
        answers: Any = SimpleNamespace(
            prediction=np.array(["no"] * n, dtype=object),
            probability=np.tile([0.75, 0.25], (n, 1)),
            quantiles=None,
        )
        writer.write(
            key,
            batch,
            answers,
            ids=[i.encode() for i in ids],
            at=at.timestamp(),
            latency=0.5,
            counts=[rows] * len(ids),
            client_ids=[client] * len(ids) if client else None,
        )
        writer.close()

    def tell(self, *outcomes: Outcome, at: dt.datetime = NOON + HOUR) -> str:
        writer = open_writer(self.log, 0)
        writer.outcomes("m", outcomes, at=at.timestamp())
        writer.close()
        return writer.writer

    def collect(self) -> None:
        monitoring.collect(self.log, self.tables, environment="prod")

    def resolved(self) -> pl.DataFrame:
        found = monitoring.told(self.tables, self.log, **PLACE)
        return monitoring.resolved(found, self.tables, self.log, **PLACE)

    def truth(self, **more: Any) -> dict[tuple[str, int], object]:
        span = {"start": NOON - 1000 * HOUR, "end": NOON + 1000 * HOUR} | more
        rows = monitoring.window(self.tables, self.log, **PLACE, **span)
        rows = monitoring.with_truth(rows, self.tables, self.log, **PLACE)
        return {(r["request_id"], r["row"]): r["truth"] for r in rows.iter_rows(named=True)}

    def reckon(self, writer: str) -> dict[str, int]:
        return monitoring.reckon(self.resolved(), writer)


@pytest.fixture(params=["in the log", "collected"])
def yard(tmp_path: Path, request: pytest.FixtureRequest) -> Yard:
    yard = Yard(tmp_path)
    if request.param == "collected":
        read = monitoring.told

        def told(*given: Any, **more: Any) -> pl.DataFrame:
            yard.collect()
            return read(*given, **more)

        request.getfixturevalue("monkeypatch").setattr(monitoring, "told", told)
    return yard


def test_by_request_and_row(yard: Yard) -> None:
    yard.predict("a", "b", rows=2)
    writer = yard.tell(Outcome("a", "yes"), Outcome("b", "no", 1), Outcome("b", "no", 2), Outcome("c", "no"))
    assert yard.reckon(writer) == {
        "joined": 2,
        "unknown": 2,
        "repeated": 0,
        "corrected": 0,
        "early": 0,
        "labelled": 2,
    }
    assert yard.truth() == {("a", 0): '"yes"', ("a", 1): None, ("b", 0): None, ("b", 1): '"no"'}


def test_an_outcome_that_nobody_predicted_joins_when_the_prediction_turns_up(yard: Yard) -> None:
    writer = yard.tell(Outcome("late", "yes"))
    assert yard.reckon(writer)["unknown"] == 1
    yard.predict("late")
    assert yard.reckon(writer)["joined"] == 1
    assert yard.truth() == {("late", 0): '"yes"'}


def test_told_twice_changes_nothing_and_told_otherwise_the_last_to_arrive_counts(yard: Yard) -> None:
    yard.predict("a")
    yard.tell(Outcome("a", "yes"))
    again = yard.tell(Outcome("a", "yes"), at=NOON + 2 * HOUR)
    assert yard.reckon(again)["repeated"] == 1
    assert yard.truth() == {("a", 0): '"yes"'}
    other = yard.tell(Outcome("a", "no"), at=NOON + 3 * HOUR)
    assert yard.reckon(other)["corrected"] == 1
    assert yard.truth() == {("a", 0): '"no"'}
    yard.tell(Outcome("a", "maybe"), at=NOON + HOUR / 2)  # told before them, collected after
    assert yard.truth() == {("a", 0): '"no"'}
    assert yard.resolved()["outcome"].to_list() == ['"maybe"', '"yes"', '"yes"', '"no"']
    known = monitoring.known(yard.resolved()).row(0, named=True)
    assert (known["tellings"], known["values"], known["arrived"]) == (4, 3, NOON + HOUR / 2)


def test_within_one_telling_the_later_row_corrects_the_earlier(yard: Yard) -> None:
    yard.predict("a")
    writer = yard.tell(Outcome("a", "yes"), Outcome("a", "no"), Outcome("a", "no"))
    counts = yard.reckon(writer)
    assert (counts["corrected"], counts["repeated"], counts["labelled"]) == (1, 1, 1)
    assert yard.truth() == {("a", 0): '"no"'}


def test_a_clients_id_is_of_the_newest_prediction_before_the_outcome(yard: Yard) -> None:
    for number, hours in enumerate((0, 10, 20)):
        yard.predict(f"{number}", at=NOON + hours * HOUR, client="mine")
    yard.tell(Outcome("mine", "yes", at=(NOON + 15 * HOUR).timestamp(), by=CLIENT), at=NOON + 30 * HOUR)
    yard.tell(Outcome("mine", "no", by=CLIENT), at=NOON + 31 * HOUR)
    assert yard.truth() == {("0", 0): None, ("1", 0): '"yes"', ("2", 0): '"no"'}
    assert yard.truth(end=NOON + 5 * HOUR) == {("0", 0): None}  # whatever window is looked at


def test_a_clients_id_that_was_told_of_before_it_was_asked_with_joins(yard: Yard) -> None:
    writer = yard.tell(Outcome("mine", "yes", 1, (NOON - HOUR).timestamp(), CLIENT), at=NOON)
    assert yard.reckon(writer)["unknown"] == 1
    yard.predict("first", at=NOON + HOUR, client="mine", rows=2)
    yard.predict("second", at=NOON + 2 * HOUR, client="mine", rows=2)
    counts = yard.reckon(writer)
    assert (counts["joined"], counts["early"]) == (1, 1)
    assert yard.truth()["first", 1] == '"yes"'
    assert set(yard.truth().values()) == {None, '"yes"'}


def test_clocks_may_be_minutes_apart_and_no_more(yard: Yard) -> None:
    yard.predict("a", "b")
    minutes = dt.timedelta(minutes=1)
    near = Outcome("a", "yes", at=(NOON - 4 * minutes).timestamp())
    far = Outcome("b", "yes", at=(NOON - 6 * minutes).timestamp())
    counts = yard.reckon(yard.tell(near, far))
    assert (counts["joined"], counts["early"]) == (2, 1)


def test_by_features_the_newest_before_and_never_one_made_later(yard: Yard) -> None:
    way = '["size","colour"]'
    yard.predict("a", at=NOON, size=2.0, colour="blue")
    yard.predict("b", at=NOON + 10 * HOUR, size=2.0, colour="blue")
    yard.predict("c", size=3.0, colour="blue")
    key = '{"size":2.0,"colour":"blue"}'
    told = [
        Outcome(key, "yes", at=(NOON + 5 * HOUR).timestamp(), by=way),
        Outcome(key, "no", at=(NOON - 5 * HOUR).timestamp(), by=way),
    ]
    counts = yard.reckon(yard.tell(*told, at=NOON + 20 * HOUR))
    assert (counts["joined"], counts["unknown"]) == (1, 1)
    assert yard.truth() == {("a", 0): '"yes"', ("b", 0): None, ("c", 0): None}


def test_other_models_and_environments_have_outcomes_of_their_own(yard: Yard) -> None:
    yard.predict("a")
    writer = open_writer(yard.log, 0)
    writer.outcomes("other", [Outcome("a", "yes")], at=1.0)
    writer.close()
    assert yard.truth() == {("a", 0): None}
    found = monitoring.told(yard.tables, yard.log, environment="test", model="m")
    assert found.height == 0


_KILLED = """
import os, signal, sys
from pathlib import Path
import modelyard.monitoring.collect
room = sys.modules["modelyard.monitoring.collect"]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, sys.argv[3], die)
room.collect(Path(sys.argv[1]), Path(sys.argv[2]), environment="prod")
"""


@pytest.mark.parametrize("moment", ["write_deltalake", "synced"])
def test_a_collector_killed_around_its_commit_loses_and_doubles_nothing(tmp_path: Path, moment: str) -> None:
    yard = Yard(tmp_path)
    writer = Writer(yard.log, 0, size=400)
    for number in range(30):
        writer.outcomes("m", [Outcome(f"{number}", "yes")], at=float(number))
        writer.flush()
    command = [sys.executable, "-c", _KILLED, str(yard.log), str(yard.tables), moment]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    writer.close()

    def ids() -> list[str]:
        found: list[str] = monitoring.told(yard.tables, yard.log, **PLACE)["id"].to_list()
        return found

    wanted = [f"{number}" for number in range(30)]
    assert ids() == wanted
    yard.collect()
    assert segments(yard.log) == []
    assert ids() == wanted


@pytest.mark.parametrize(
    ("task", "classes", "told", "wanted"),
    [
        ("binary", ("no", "yes"), ['"yes"', '"no"', None, '"else"', "1"], [1, 0, None, None, None]),
        ("binary", (False, True), ["true", "false", "1"], [1, 0, None]),
        ("multiclass", (3, 1, 2), ["1", "3", "1.0"], [1, 0, None]),
        ("regression", (), ["1", "2.5", '"x"', None], [1.0, 2.5, None, None]),
    ],
)
def test_an_outcome_is_typed_as_the_version_has_it(
    task: Any, classes: Sequence[Any], told: list[str | None], wanted: list[object]
) -> None:
    assert monitoring.typed(pl.Series(told, dtype=pl.String), task, classes).to_list() == wanted


def test_labelled_rows_are_rows_to_learn_from(yard: Yard) -> None:
    span = {"start": NOON, "end": NOON + HOUR}
    empty = monitoring.labelled(yard.tables, yard.log, schema=SCHEMA, **span, **PLACE)
    assert empty.columns == ["size", "colour", "truth"]
    yard.predict("a", size=2.0)
    yard.predict("b", size=3.0, version=2)
    yard.predict("c", size=np.nan)
    yard.predict("d", at=NOON + 2 * HOUR)
    yard.tell(Outcome("a", "yes"), Outcome("b", "no"), Outcome("d", "no"))
    yard.collect()
    rows = monitoring.labelled(yard.tables, yard.log, schema=SCHEMA, **span, **PLACE)
    assert rows.rows() == [(2.0, "red", "yes"), (3.0, "red", "no")]
    rows = monitoring.labelled(yard.tables, yard.log, schema=SCHEMA, version=1, **span, **PLACE)
    assert rows.rows() == [(2.0, "red", "yes")]
    keyed = monitoring.labelled(yard.tables, yard.log, schema=SCHEMA, key="name", **span, **PLACE)
    assert keyed.rows() == [(2.0, "red", "yes", "a:0"), (3.0, "red", "no", "b:0")]
    more = Schema(columns=(*SCHEMA.columns, Column(name="new", kind="float")), target="truth")
    with pytest.raises(DataRefused, match="'new'"):
        monitoring.labelled(yard.tables, yard.log, schema=more, **span, **PLACE)
