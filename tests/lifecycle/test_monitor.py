"""``monitor`` over a log of three days: windows of any time, and the history of what was found."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.actions.locate import opened
from modelyard.data import load
from modelyard.predictions import Ids, Writer
from modelyard.project import Project, now, open_project
from modelyard.records.minute import Minute
from modelyard.records.service import ServedModel
from modelyard.tables.batch import Batch
from modelyard.tables.gather import gather

Command = Callable[..., tuple[int, str, str]]
HOURS, SHIFTED, ROWS = 30, 20, 120
"""Of traffic; from which one on ``mean_radius`` is shifted; predictions an hour."""


class Watched:
    """A project whose prediction log holds hours of the past."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.end = now().replace(minute=0, second=0, microsecond=0)
        self.start = self.end - dt.timedelta(hours=HOURS)
        self._ids, self._random = Ids(), np.random.default_rng(3)
        project = open_project(folder)
        with project.yard.read() as facts:
            data, version = facts.datasets.latest("patients"), facts.versions.get("screening", 1)
        assert data is not None
        assert version is not None
        self._package = version.package
        self._predictor = opened(project, version.package)
        self._rows = gather(load(data, project.holding(data), part="train"), data.schema)
        self._log = project.log_folder("test")
        project.close()

    def project(self) -> Project:
        return open_project(self.folder)

    def answer(self, at: dt.datetime, rows: int, *, shift: float = 0.0, version: int = 1) -> None:
        """Log what the package answers for rows of its own training data."""
        writer = Writer(self._log, 0)
        served = ServedModel(
            model="screening", version=version, model_id="screening/test/1", package=self._package, folder=""
        )
        key = writer.begin(served, self._predictor.manifest)
        for part in range(4):
            drawn = self._random.integers(0, len(self._rows.numbers), rows // 4)
            numbers = self._rows.numbers[drawn].copy()
            numbers[:, 0] += shift * self._rows.numbers[:, 0].std()
            batch = Batch(numbers, self._rows.texts[drawn])
            moment = at + dt.timedelta(minutes=1 + part)
            writer.write(
                key,
                batch,
                self._predictor.predict(batch),
                ids=[self._ids.next() for _ in drawn],
                at=moment.timestamp(),
                latency=0.001,
            )
        writer.close()

    def counted(self, at: dt.datetime, **more: Any) -> None:
        """Log what a worker counted of version 1."""
        writer = Writer(self._log, 0)
        writer.minutes([Minute("screening", 1, 1, **more)], at=at.timestamp())
        writer.close()


@pytest.fixture(scope="module")
def watched_once(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched") / "screening"
    shutil.copytree(built_once, folder)
    watched = Watched(folder)
    for hour in range(HOURS):
        watched.answer(watched.start + dt.timedelta(hours=hour), ROWS, shift=float(hour >= SHIFTED))
    return watched


@pytest.fixture
def watched(watched_once: Watched, tmp_path: Path) -> Watched:
    """A copy of the test's own."""
    folder = tmp_path / "screening"
    shutil.copytree(watched_once.folder, folder)
    return Watched(folder)


def run(modelyard: Command, watched: Watched, *words: str | Path) -> Any:
    code, output, complaint = modelyard("-C", watched.folder, "monitor", "test", *words, "--json")
    assert code == 0, complaint
    return json.loads(output)


def settings(watched: Watched, window: str) -> None:
    file = watched.folder / "modelyard.toml"
    file.write_text(file.read_text().replace('window = "1h"', window))


def test_a_span_of_windows_shows_since_when(modelyard: Command, watched: Watched) -> None:
    found = run(modelyard, watched, "--last", str(HOURS))
    assert [r["rows"] for r in found] == [ROWS] * HOURS
    alerts = [sorted({f["column"] for f in r["findings"] if f["alert"]}) for r in found]
    assert all("mean_radius" in columns for columns in alerts[SHIFTED:])
    assert not any("mean_radius" in columns for columns in alerts[:SHIFTED])
    assert sum(map(bool, alerts[:SHIFTED])) <= 4  # chance: one window in twenty
    code, table, _ = modelyard("-C", watched.folder, "monitor", "test", "--last", "3")
    assert code == 0
    assert table.count("mean_radius") == 3


def test_every_examined_window_is_kept_whole(modelyard: Command, watched: Watched) -> None:
    (report,) = run(modelyard, watched, "screening", "--last", "1")
    (kept,) = run(modelyard, watched, "--history")
    assert kept["start"] == report["start"]
    assert kept["rows"] == ROWS
    assert [b[1] for b in kept["findings"] if b[6]] == [f["column"] for f in report["findings"] if f["alert"]]
    project = watched.project()
    assert json.loads(project.artifacts.get(kept["report"])) == report
    project.close()
    assert modelyard("-C", watched.folder, "gc", "--grace", "0s")[0] == 0
    project = watched.project()
    assert project.artifacts.has(kept["report"])
    project.close()
    code, output, _ = modelyard("-C", watched.folder, "monitor", "test", "--history")
    assert code == 0
    assert "screening@1" in output


def test_a_report_is_written_in_three_forms(modelyard: Command, watched: Watched) -> None:
    run(modelyard, watched, "--last", "20")
    for words in (("--last", "2"), ("--history",)):
        for form in ("html", "md", "json"):
            file = watched.folder / "out" / f"report.{form}"
            assert run(modelyard, watched, *words, "--report", file)
            assert "mean_radius" in file.read_text()
    metrics = watched.folder / "out" / "screening.prom"
    (found,) = run(modelyard, watched, "--last", "1", "--prometheus", metrics)
    assert 'modelyard_finding_alert{project="screening",environment="test"' in metrics.read_text()
    (moved,) = [f for f in found["findings"] if f["kind"] == "drift" and f["column"] == "mean_radius"]
    assert "; since " in moved["sentence"]
    began = dt.datetime.fromisoformat(moved["since"]["start"])
    assert abs(began - (watched.start + dt.timedelta(hours=SHIFTED))) <= dt.timedelta(hours=1)
    assert "20 windows" in (watched.folder / "out" / "report.html").read_text()
    code, _, complaint = modelyard(
        "-C", watched.folder, "monitor", "test", "--last", "1", "--report", "r.pdf"
    )
    assert code == 2
    assert "end it with .html, .md or .json" in complaint


def test_late_rows_are_judged_when_a_window_is_looked_at_again(modelyard: Command, watched: Watched) -> None:
    hour = f"{watched.end - dt.timedelta(hours=2):%Y-%m-%dT%H}"
    assert [r["rows"] for r in run(modelyard, watched, "--window", hour)] == [ROWS]
    watched.answer(watched.end - dt.timedelta(hours=2), 40)
    assert [r["rows"] for r in run(modelyard, watched, "--window", hour)] == [ROWS + 40]
    assert [w["rows"] for w in run(modelyard, watched, "--history")] == [ROWS + 40]


def test_requests_that_failed_are_found_with_and_without_any_that_was_answered(
    modelyard: Command, watched: Watched
) -> None:
    settings(watched, 'window = "1h"\nmax_errors = 0.001')
    hour = watched.end - dt.timedelta(hours=1)
    watched.counted(hour + dt.timedelta(minutes=5), answered=1000, failed=30)
    (report,) = run(modelyard, watched, "--last", "1")
    (failed,) = [f for f in report["findings"] if f["kind"] == "errors" and f["alert"]]
    assert failed["slice"] == "5xx"
    code, table, _ = modelyard("-C", watched.folder, "monitor", "test", "--last", "1")
    assert code == 0
    page = (Path(__file__).parents[2] / "docs" / "commands" / "monitor.md").read_text()
    assert failed["sentence"] in page
    assert "30 of 1030" in table
    silent = watched.end - dt.timedelta(hours=HOURS + 5)
    watched.counted(silent + dt.timedelta(minutes=5), failed=40)
    (report,) = run(modelyard, watched, "--window", f"{silent:%Y-%m-%dT%H}")
    assert (report["rows"], report["version"]) == (0, 1)
    assert any(f["alert"] for f in report["findings"] if f["kind"] == "errors")


def test_windows_of_rows(modelyard: Command, watched: Watched) -> None:
    settings(watched, 'window = "300 rows"\nevery = "150 rows"')
    assert [r["rows"] for r in run(modelyard, watched)] == [300]
    found = run(modelyard, watched, "--last", "4")
    assert [r["rows"] for r in found] == [300] * 4
    assert found[0]["end"] > found[1]["start"] > found[0]["start"]


def test_a_span_as_one_window_and_as_many(modelyard: Command, watched: Watched) -> None:
    since = f"{watched.end - dt.timedelta(hours=6):%Y-%m-%dT%H:%M}"
    until = f"{watched.end - dt.timedelta(hours=2):%Y-%m-%dT%H:%M}"
    assert [r["rows"] for r in run(modelyard, watched, "--since", since, "--until", until)] == [4 * ROWS]
    each = run(modelyard, watched, "--since", since, "--until", until, "--each")
    assert [r["rows"] for r in each] == [ROWS] * 4


def test_a_model_that_was_replaced_in_the_middle_is_judged_by_version(
    modelyard: Command, watched: Watched
) -> None:
    toml = watched.folder / "modelyard.toml"
    toml.write_text(
        toml.read_text().replace("[models.screening]", "[models.screening]\nparams = { C = 0.3 }")
    )
    assert modelyard("-C", watched.folder, "build")[0] == 0
    last = watched.end - dt.timedelta(hours=1)
    watched.answer(last + dt.timedelta(minutes=30), 80, version=2)
    found = run(modelyard, watched, "--window", f"{last:%Y-%m-%dT%H}")
    assert [(r["version"], r["rows"]) for r in found] == [(1, ROWS), (2, 80)]
    assert found[0]["package"] != found[1]["package"]
    assert any(f["alert"] for f in found[0]["findings"])
    assert not any(f["alert"] for f in found[1]["findings"] if f["column"] == "mean_radius")
    events = json.loads(modelyard("-C", watched.folder, "audit", "--json")[1])
    assert [e["object"] for e in events if e["action"] == "window.examined"] == ["screening@1", "screening@2"]


def test_a_window_without_rows_needs_a_live_version(modelyard: Command, watched: Watched) -> None:
    code, _, complaint = modelyard("-C", watched.folder, "monitor", "test", "--window", "2020-01-01")
    assert code == 2
    assert "Nothing of screening is live in test" in complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--window", "last week"), "names no window"),
        (("--window", "2026-11-20", "--last", "2"), "do not go with it"),
        (("--each",), "goes with --since"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "before --until"),
        (("--last", "3", "--since", "2026-11-02"), "counts back"),
        (("--since", "2099-01-01"), "No window"),
        (("nobody",), "no model 'nobody'"),
        (("--history", "nobody"), "no model 'nobody'"),
    ],
)
def test_what_is_no_question(
    modelyard: Command, watched_once: Watched, words: tuple[str, ...], said: str
) -> None:
    code, _, complaint = modelyard("-C", watched_once.folder, "monitor", "test", *words)
    assert code == 2
    assert said in complaint
