"""Incremental ingest through the command line: files, SQLite and functions."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelyard.actions.ingest import Ingested, ingest
from modelyard.data import load
from modelyard.project import open_project
from modelyard.records.dataset import DatasetVersion, Whole
from modelyard.records.profile import Profile
from modelyard.settings import read
from modelyard.tables.split import SPLIT

Command = Callable[..., tuple[int, str, str]]


def project(
    folder: Path, incremental: str, *, source: str = '"in/*.csv"', key: str = "id", **more: str
) -> Path:
    (folder / "in").mkdir(exist_ok=True)
    lines = ['[project]\nname = "clinic"', "[data.visits]", f"source = {source}", 'target = "ill"']
    lines += [f'key = "{key}"'] if key else []
    lines += [f"incremental = {incremental}", *(f"{name} = {value}" for name, value in more.items())]
    (folder / "modelyard.toml").write_text("\n".join(lines) + "\n")
    return folder


def visits(numbers: range, *, age: int = 0, start: str = "2026-01-01") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"p{n}" for n in numbers],
            "age": [20 + n % 50 + age for n in numbers],
            "day": [f"{start[:-2]}{1 + n // 10 % 28:02}" for n in numbers],
            "ill": ["yes" if n % 3 else "no" for n in numbers],
        }
    )


def taken(folder: Path, *, full: bool = False) -> Ingested:
    return ingest(open_project(folder), "visits", full=full)


def rows_of(folder: Path, version: DatasetVersion) -> pl.DataFrame:
    return load(version, open_project(folder).tables, part="all", split=True)


def figures(done: Ingested) -> tuple[int, ...]:
    assert done.intake is not None
    found = done.intake
    assert found.read == found.added + found.replaced + found.identical + found.superseded + found.aside
    return found.read, found.added, found.replaced, found.identical, found.superseded, found.aside


def ran(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_files_are_appended_and_read_once(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"append"')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    assert modelyard("-C", tmp_path, "ingest")[0] == 0
    visits(range(95, 130)).write_csv(tmp_path / "in" / "b.csv")
    code, out, _ = modelyard("-C", tmp_path, "ingest")
    assert code == 0
    assert "visits@2: 130 rows" in out
    assert "read 35 rows of 1 source (1 known already): 30 added, 5 identical; 100 before, 130 now" in out
    code, out, _ = modelyard("-C", tmp_path, "ingest", "--json")
    (said,) = json.loads(out)
    assert not said["new"]
    assert [f["path"] for f in said["version"]["sources"]] == ["in/a.csv", "in/b.csv"]
    assert said["version"]["intake"] == {
        "mode": "append", "base": 1, "files": 1, "known": 1, "read": 35, "added": 30, "identical": 5, "before": 100,
    }  # fmt: skip
    first = open_project(tmp_path)
    with first.yard.read() as facts:
        one, two = (facts.datasets.get("visits", n) for n in (1, 2))
    assert one
    assert two
    assert (
        rows_of(tmp_path, one)
        .drop(SPLIT)
        .equals(visits(range(100)).with_columns(pl.col("day").str.to_date()))
    )
    assert rows_of(tmp_path, two).head(100).equals(rows_of(tmp_path, one))


def test_a_file_that_is_gone_or_renamed_changes_nothing(tmp_path: Path) -> None:
    project(tmp_path, '"append"', key="")
    for name, numbers in (("a", range(60)), ("b", range(60, 90))):
        visits(numbers).drop("id").write_csv(tmp_path / "in" / f"{name}.csv")
    assert taken(tmp_path).version.rows == 90
    (tmp_path / "in" / "a.csv").rename(tmp_path / "in" / "z.csv")
    assert not taken(tmp_path).new
    (tmp_path / "in" / "b.csv").unlink()
    done = taken(tmp_path)
    assert (done.new, done.version.number) == (False, 1)
    visits(range(90, 95)).drop("id").write_csv(tmp_path / "in" / "c.csv")
    done = taken(tmp_path)
    assert (done.version.rows, figures(done)) == (95, (5, 5, 0, 0, 0, 0))
    done = taken(tmp_path, full=True)
    assert (done.version.number, done.version.rows) == (3, 65)


def test_append_changes_no_row(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"append"')
    visits(range(50)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    pl.concat([visits(range(50, 60)), visits(range(7, 9), age=1)]).write_csv(tmp_path / "in" / "b.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "b.csv, row 11: the key 'id' is in visits@1 already, with other values" in complaint
    assert 'incremental = "upsert"' in complaint
    # Within what is read too: the first of two rows with one key is not silently the right one.
    pl.concat([visits(range(50, 60)), visits(range(55, 57), age=1)]).write_csv(tmp_path / "in" / "b.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "b.csv, row 6: the key 'id' is not unique: p55 comes again" in complaint
    pl.concat([visits(range(50, 60)), visits(range(55, 57))]).write_csv(tmp_path / "in" / "b.csv")
    assert figures(taken(tmp_path)) == (12, 10, 0, 2, 0, 0)


def test_a_file_that_grows_needs_a_key(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"append"', key="")
    visits(range(50)).drop("id").write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(55)).drop("id").write_csv(tmp_path / "in" / "a.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "in/a.csv was taken into visits@1 and may hold other rows by now" in complaint
    assert "modelyard ingest visits --full" in complaint
    assert modelyard("-C", tmp_path, "ingest", "--full")[0] == 0
    visits(range(55)).write_csv(tmp_path / "in" / "a.csv")
    shutil.rmtree(tmp_path / ".modelyard")
    project(tmp_path, '"append"')
    taken(tmp_path)
    visits(range(58)).write_csv(tmp_path / "in" / "a.csv")
    assert figures(taken(tmp_path)) == (58, 3, 0, 55, 0, 0)


def test_upsert_replaces_rows_and_the_difference_is_seen(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"upsert"')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    late = pl.concat([visits(range(5, 8), age=1), visits(range(98, 110)), visits(range(6, 7), age=2)])
    late.write_csv(tmp_path / "in" / "b.csv")
    done = taken(tmp_path)
    assert figures(done) == (16, 10, 3, 2, 1, 0)
    found = rows_of(tmp_path, done.version)
    assert found["id"].to_list() == [
        *(f"p{n}" for n in range(100) if n not in (5, 6, 7)), "p5", "p7", *(f"p{n}" for n in range(100, 110)), "p6",
    ]  # fmt: skip
    assert found.filter(pl.col("id") == "p6")["age"].to_list() == [28]
    code, out, _ = modelyard("-C", tmp_path, "diff", "visits@1", "visits@2")
    assert code == 0
    assert "10 added, 0 removed, 3 changed" in out
    assert "p6   age      26  28" in out
    done = taken(tmp_path, full=True)
    assert (done.new, done.version.number, figures(done)) == (False, 2, (116, 110, 0, 2, 4, 0))


def test_a_watermark_takes_what_is_newer_and_what_is_late(tmp_path: Path) -> None:
    project(tmp_path, '{ mode = "watermark", on = "day", lateness = "2d" }')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    done = taken(tmp_path)
    assert done.version.watermark
    assert (done.version.watermark.on, done.version.watermark.value) == ("day", "2026-01-10")
    changed = visits(range(120)).with_columns(
        age=pl.when(pl.col("day") >= "2026-01-07").then(pl.col("age") + 1).otherwise(pl.col("age") + 2)
    )
    changed.write_csv(tmp_path / "in" / "b.csv")
    done = taken(tmp_path)
    assert figures(done) == (120, 20, 30, 0, 0, 70)
    assert done.version.watermark
    assert done.version.watermark.value == "2026-01-12"
    changed.head(20).write_csv(tmp_path / "in" / "c.csv")
    done = taken(tmp_path)
    assert (done.new, figures(done)) == (False, (20, 0, 0, 0, 0, 20))


def test_without_a_key_a_watermark_takes_only_what_is_above(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '{ mode = "watermark", on = "n", since = 10 }', key="")
    frame = pl.DataFrame({"n": range(60), "x": [n / 7 for n in range(60)], "ill": ["yes", "no"] * 30})
    frame.head(50).write_csv(tmp_path / "in" / "a.csv")
    done = taken(tmp_path)
    assert (figures(done), done.version.rows) == ((50, 40, 0, 0, 0, 10), 40)
    frame.write_csv(tmp_path / "in" / "a.csv")
    done = taken(tmp_path)
    assert (figures(done), done.version.watermark and done.version.watermark.value) == (
        (60, 10, 0, 0, 0, 50),
        59,
    )
    frame.with_columns(n=pl.when(pl.col("n") == 5).then(None).otherwise(pl.col("n") + 100)).write_csv(
        tmp_path / "in" / "a.csv"
    )
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "a.csv, row 6: 'n', which tells what is newer, has no value" in complaint


def test_sqlite_is_asked_for_what_is_newer(tmp_path: Path) -> None:
    project(
        tmp_path,
        '{ mode = "watermark", on = "seen" }',
        source='{ url = "sqlite:///clinic.db", query = "SELECT id, age, seen, ill FROM visits" }',
    )
    with sqlite3.connect(tmp_path / "clinic.db") as database:
        database.execute("CREATE TABLE visits (id TEXT PRIMARY KEY, age INT, seen TEXT, ill TEXT)")
        rows = [
            (f"p{n}", 20 + n % 50, f"2026-01-{1 + n // 10:02} 10:0{n % 10}:00", "yn"[n % 2])
            for n in range(200)
        ]
        database.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", rows)
    assert taken(tmp_path).version.rows == 200
    assert not taken(tmp_path).new
    with sqlite3.connect(tmp_path / "clinic.db") as database:
        # In another spelling, in another zone, a correction of the newest row, and one of long ago.
        database.execute("INSERT INTO visits VALUES ('new', 33, '2026-01-20T06:00:00-05:00', 'y')")
        database.execute("UPDATE visits SET age = 99 WHERE id IN ('p199', 'p1')")
    done = taken(tmp_path)
    assert figures(done)[1:3] == (1, 1)
    assert figures(done)[0] < 30, "the query is told the watermark"
    ages = dict(rows_of(tmp_path, done.version).select("id", "age").iter_rows())
    assert (ages["new"], ages["p199"], ages["p1"]) == (33, 99, 21)
    assert done.version.watermark
    assert done.version.watermark.value == "2026-01-20T11:00:00Z"


def test_a_query_may_name_the_watermark(tmp_path: Path, modelyard: Command) -> None:
    query = "SELECT n, x, ill, ':watermark' AS said FROM visits -- :watermark\\nWHERE n > :watermark"
    source = f'{{ url = "sqlite:///clinic.db", query = "{query}" }}'
    with sqlite3.connect(tmp_path / "clinic.db") as database:
        database.execute("CREATE TABLE visits (n INT, x REAL, ill TEXT)")
        database.executemany(
            "INSERT INTO visits VALUES (?, ?, ?)", [(n, n / 7, "yn"[n % 2]) for n in range(100)]
        )
    project(tmp_path, '{ mode = "watermark", on = "n" }', source=source, key="")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 2
    assert "names :watermark, and there is none yet" in complaint
    project(tmp_path, '{ mode = "watermark", on = "n", since = -1 }', source=source, key="")
    assert figures(taken(tmp_path)) == (100, 100, 0, 0, 0, 0)
    with sqlite3.connect(tmp_path / "clinic.db") as database:
        database.execute("INSERT INTO visits VALUES (100, 1.5, 'y')")
    assert figures(taken(tmp_path)) == (1, 1, 0, 0, 0, 0)
    assert set(rows_of(tmp_path, taken(tmp_path).version)["said"]) == {":watermark"}


def test_a_function_is_told_since_when(tmp_path: Path) -> None:
    (tmp_path / "feed.py").write_text(
        "from pathlib import Path\n"
        "def rows(since=None):\n"
        "    last = int(Path(__file__).with_name('last').read_text())\n"
        "    Path(__file__).with_name('told').write_text(repr(since))\n"
        "    for n in range(last):\n"
        "        if since is None or n > since:\n"
        "            yield {'n': n, 'x': n / 7, 'ill': 'yn'[n % 2]}\n"
    )
    project(tmp_path, '{ mode = "watermark", on = "n" }', source='{ python = "feed.py:rows" }', key="")
    (tmp_path / "last").write_text("100")
    assert taken(tmp_path).version.rows == 100
    done = taken(tmp_path)
    assert (done.new, figures(done), (tmp_path / "told").read_text()) == (False, (0,) * 6, "99")
    (tmp_path / "last").write_text("130")
    assert figures(taken(tmp_path)) == (30, 30, 0, 0, 0, 0)


def test_what_a_source_cannot_tell_needs_a_key_or_a_watermark(tmp_path: Path, modelyard: Command) -> None:
    (tmp_path / "feed.py").write_text(
        "def rows():\n    return [{'n': n, 'x': n / 7, 'ill': 'yn'[n % 2]} for n in range(100)]\n"
    )
    project(tmp_path, '"append"', source='{ python = "feed.py:rows" }', key="")
    taken(tmp_path)
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "feed.py:rows was taken into visits@1 and may hold other rows by now" in complaint
    project(tmp_path, '"append"', source='{ python = "feed.py:rows" }', key="n")
    done = taken(tmp_path)  # another key is another version
    assert (done.new, figures(done)) == (True, (100, 0, 0, 100, 0, 0))
    done = taken(tmp_path)
    assert (done.new, done.version.number, figures(done)) == (False, 2, (100, 0, 0, 100, 0, 0))


def test_new_rows_are_held_to_the_schema_before(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"append"')
    visits(range(50)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    for change, says in (
        (pl.lit("old").alias("age"), r"b.csv, row 1: 'age' must be an integer"),
        (pl.lit(1).alias("more"), "b.csv, line 1: column 'more', which the version before has not"),
    ):
        visits(range(50, 60)).with_columns(change).write_csv(tmp_path / "in" / "b.csv")
        code, _, complaint = modelyard("-C", tmp_path, "ingest")
        assert (code, says in complaint) == (1, True), complaint
    visits(range(50, 60)).drop("age").write_csv(tmp_path / "in" / "b.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert (code, "b.csv, line 1: no column 'age', which the version before has" in complaint) == (1, True)
    visits(range(50, 60)).with_columns(id=pl.lit(None, pl.String)).write_csv(tmp_path / "in" / "b.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert "b.csv, row 1: the key 'id' is null" in complaint
    visits(range(45, 60)).with_columns(age=pl.col("age") + 0.0).with_columns(
        age=pl.when(pl.col("id") == "p55").then(0.5).otherwise(pl.col("age"))
    ).write_csv(tmp_path / "in" / "b.csv")
    done = taken(tmp_path)
    assert figures(done) == (15, 10, 0, 5, 0, 0)
    assert done.version.schema.column("age").kind == "float"
    assert rows_of(tmp_path, done.version)["age"].dtype == pl.Float64


def test_a_damaged_part_is_found_before_rows_are_added_to_it(tmp_path: Path, modelyard: Command) -> None:
    for key in ("", "id"):
        folder = tmp_path / f"of{key}"
        folder.mkdir()
        project(folder, '"append"', key=key)
        visits(range(50)).write_csv(folder / "in" / "a.csv")
        version = taken(folder).version
        part = open_project(folder).tables / "visits" / version.parts[0]
        part.write_bytes(part.read_bytes()[:-20] + bytes(20))
        visits(range(50, 60)).write_csv(folder / "in" / "b.csv")
        code, _, complaint = modelyard("-C", folder, "ingest")
        assert (code, f"{part.name} was changed or damaged" in complaint) == (1, True), complaint


def test_settings_that_do_not_go_together_are_said(tmp_path: Path, modelyard: Command) -> None:
    for incremental, key, says in (
        ('"upsert"', "", "'upsert' replaces rows by their key"),
        ('"watermark"', "id", "'watermark' needs 'on'"),
        ('{ mode = "append", on = "day" }', "id", "'on' goes with 'watermark'"),
        ('{ mode = "watermark", on = "day", lateness = "2d" }', "", "'lateness' takes rows again"),
        ('{ mode = "watermark", on = "day", lateness = "soon" }', "id", "'lateness' is a span"),
        ('"sometimes"', "id", "incremental"),
    ):
        project(tmp_path, incremental, key=key)
        code, _, complaint = modelyard("-C", tmp_path, "ingest")
        assert (code, says in complaint) == (2, True), complaint
    visits(range(50)).write_csv(tmp_path / "in" / "a.csv")
    for incremental, says in (
        ('{ mode = "watermark", on = "ill" }', "'ill', which holds string values"),
        ('{ mode = "watermark", on = "nothing" }', "There is no column 'nothing'"),
        ('{ mode = "watermark", on = "age", since = "2026-01-01" }', "'age' holds integer values"),
    ):
        project(tmp_path, incremental)
        code, _, complaint = modelyard("-C", tmp_path, "ingest")
        assert (code, says in complaint) == (2, True), complaint
    project(tmp_path, '{ mode = "watermark", on = "age", lateness = "2d" }')
    taken(tmp_path)
    visits(range(60)).write_csv(tmp_path / "in" / "a.csv")
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert (code, "'lateness' is '2d', but 'age' needs a number" in complaint) == (2, True), complaint


@settings(max_examples=25)
@given(
    st.sampled_from(['"append"', '"upsert"']),
    st.lists(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    ),
)
@example('"upsert"', [[(5, 0)], [(5, 1)], [(5, 0)]])
def test_growth_is_what_a_dictionary_does(mode: str, files: list[list[tuple[int, int]]]) -> None:
    """Rows by key, the digest of the whole at once, no test row that moves, and old versions as they were."""
    with tempfile.TemporaryDirectory() as made:
        folder = project(Path(made), mode)
        first = visits(range(100, 140))
        first.write_csv(folder / "in" / "0.csv")
        version = taken(folder).version
        model = {row["id"]: row for row in first.iter_rows(named=True)}
        kept: list[tuple[DatasetVersion, pl.DataFrame]] = [(version, rows_of(folder, version))]
        for number, rows in enumerate(files, start=1):
            ages = {n: 0 for n, _ in rows} if mode == '"append"' else {}
            frame = pl.concat([visits(range(n, n + 1), age=ages.get(n, age)) for n, age in rows])
            frame.write_csv(folder / "in" / f"{number}.csv")
            model |= {row["id"]: row for row in frame.iter_rows(named=True)}
            done = taken(folder)
            assert not taken(folder).new
            kept.append((done.version, rows_of(folder, done.version)))
        for version, seen in kept:
            assert rows_of(folder, version).equals(seen)
        last = kept[-1][1]
        plain = last.drop(SPLIT).with_columns(pl.col("day").cast(pl.String))
        assert {row["id"]: row for row in plain.iter_rows(named=True)} == model
        assert last.height == len(model)
        sides: dict[str, str] = {}
        for _, seen in kept:
            for name, side in seen.select("id", SPLIT).iter_rows():
                assert sides.setdefault(name, side) == side
        whole = folder / "whole"
        project_of_all(whole, plain)
        assert taken(whole).version.digest == kept[-1][0].digest


def test_what_is_said_again_counts_again_and_a_new_name_does_not(tmp_path: Path) -> None:
    project(tmp_path, '"upsert"')
    for number, age in enumerate((30, 31, 30)):
        said = visits(range(40), age=age)
        said.write_csv(tmp_path / "in" / f"{number}.csv")
        version = taken(tmp_path).version
        assert set(rows_of(tmp_path, version)["age"]) == set(said["age"])
    (tmp_path / "in" / "1.csv").rename(tmp_path / "in" / "9.csv")
    again = taken(tmp_path)
    assert (again.new, again.version.ref) == (False, version.ref)


def project_of_all(folder: Path, rows: pl.DataFrame) -> None:
    folder.mkdir()
    project(folder, '"full"')
    rows.write_csv(folder / "in" / "all.csv")


def test_two_at_once_take_each_row_once(tmp_path: Path) -> None:
    project(tmp_path, '"append"', key="")
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(100, 150)).write_csv(tmp_path / "in" / "b.csv")
    both = [ran(tmp_path, "ingest", "--json") for _ in range(3)]
    said: list[Any] = []
    for one in both:
        out, complaint = one.communicate()
        assert one.returncode == 0, complaint
        said += json.loads(out)
    assert sorted(s["new"] for s in said) == [False, False, True]
    assert {s["version"]["number"] for s in said} == {2}
    assert {s["version"]["rows"] for s in said} == {150}


@pytest.mark.parametrize("place", ["store", "once", "wrote"])
def test_killed_and_run_again_takes_each_row_once(place: str, tmp_path: Path) -> None:
    project(tmp_path, '"append"', key="")
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    before = taken(tmp_path).version
    visits(range(100, 150)).write_csv(tmp_path / "in" / "b.csv")
    cut = {
        "store": "import modelyard.data.shelf as at; name = 'store'",
        "wrote": "import modelyard.tables.delta as at; name = '_sync'",
        "once": "import modelyard.storage.database as m; at = m.SqlYard; name = 'once'",
    }[place]
    code = (
        f"import os, sys; {cut}\n"
        "setattr(at, name, lambda *a, **k: os.kill(os.getpid(), 9))\n"
        "from modelyard.actions.ingest import ingest; from modelyard.project import open_project; from pathlib import Path\n"
        "ingest(open_project(Path(sys.argv[1])), 'visits')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True)
    assert done.returncode == -9, done.stderr
    again = taken(tmp_path)
    assert (again.new, again.version.number, again.version.rows) == (True, 2, 150)
    assert not taken(tmp_path).new
    assert rows_of(tmp_path, before).height == 100


def test_killed_at_any_moment(tmp_path: Path) -> None:
    project(tmp_path, '"upsert"')
    visits(range(2000)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(1900, 4000), age=1).write_csv(tmp_path / "in" / "b.csv")
    for wait in (0.4, 0.5, 0.6, 0.7, 0.8):
        running = ran(tmp_path, "ingest")
        time.sleep(wait)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    done = taken(tmp_path)
    assert (done.version.number, done.version.rows) == (2, 4000)
    assert rows_of(tmp_path, done.version)["id"].n_unique() == 4000


def test_a_large_table_is_not_read_again_for_a_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is carried over is what reading all anew finds: digest, schema, split, counts."""
    folders = [tmp_path / "kept", tmp_path / "whole"]
    pieces = [visits(range(1000))]
    pieces += [visits(range(1000 + 20 * n, 1020 + 20 * n), age=3 * n - 6) for n in range(4)]
    pieces[2] = pieces[2].with_columns(ill=pl.lit("who knows"))
    found: list[list[DatasetVersion]] = []
    for folder in folders:
        folder.mkdir()
        project(folder, '"upsert"', split="{ stratify = true, folds = 3 }")
        monkeypatch.setattr("modelyard.data.extension.LEAST", 0 if folder.name == "kept" else 10**9)
        made = []
        for number, piece in enumerate(pieces):
            piece.write_csv(folder / "in" / f"{number}.csv")
            made.append(taken(folder).version)
        found.append(made)
    for kept, whole in zip(*found, strict=True):
        same = ("digest", "schema", "split", "rows", "test_rows", "marks", "sums", "sources")
        assert [getattr(kept, name) for name in same] == [getattr(whole, name) for name in same]
        assert rows_of(folders[0], kept).equals(rows_of(folders[1], whole))
        ours, theirs = (
            msgspec.json.decode(open_project(f).artifacts.get(v.profile), type=Profile)
            for f, v in zip(folders, (kept, whole), strict=True)
        )
        for mine, other in zip(ours.columns, theirs.columns, strict=True):
            exact = ("name", "kind", "rows", "nulls", "minimum", "maximum", "categories", "unseen", "other")
            if mine.name == "id":  # the labels that are listed of many may be others
                exact = exact[:4]
            assert [getattr(mine, name) for name in exact] == [getattr(other, name) for name in exact]
            assert mine.mean == pytest.approx(other.mean)
            assert sum(mine.counts) == sum(other.counts)
            assert not mine.counts or (mine.counts[0], mine.counts[-1]) == (0, 0)
    table = open_project(folders[0]).tables / "visits"
    (first,) = found[0][0].parts
    last = found[0][-1]
    assert len(last.parts) == 5
    assert last.whole == Whole(rows=1000, times=4)
    assert (table / last.parts[0]).samefile(table / first)
    assert DeltaTable(table).to_pyarrow_table().num_rows == 1080
    # A correction, or a tenth more, and all is read again.
    visits(range(3, 4), age=1).write_csv(folders[0] / "in" / "9.csv")
    monkeypatch.setattr("modelyard.data.extension.LEAST", 0)
    again = taken(folders[0]).version
    assert (again.whole, len(again.parts)) == (None, 1)
    assert rows_of(folders[0], last).height == 1080


def test_what_held_nothing_new_is_not_read_again(tmp_path: Path) -> None:
    project(tmp_path, '{ mode = "watermark", on = "day" }')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(30)).write_csv(tmp_path / "in" / "b.csv")
    visits(range(95, 100)).write_csv(tmp_path / "in" / "c.csv")
    assert figures(taken(tmp_path)) == (35, 0, 0, 5, 0, 30)
    assert taken(tmp_path).intake is None, "nothing was read"
    visits(range(95, 101)).write_csv(tmp_path / "in" / "c.csv")
    assert figures(taken(tmp_path)) == (6, 1, 0, 5, 0, 0)
    done = taken(tmp_path)
    assert done.intake is None
    assert [f.path for f in done.version.sources] == ["in/a.csv", "in/b.csv", "in/c.csv"]
    (tmp_path / "in" / "d.csv").write_text("id,age,day,ill\n")
    assert figures(taken(tmp_path)) == (0,) * 6
    assert taken(tmp_path).intake is None
    (tmp_path / ".modelyard" / "idle" / "visits.json").write_text("{")
    assert figures(taken(tmp_path)) == (0,) * 6
    # Settings that decide otherwise read it again.
    visits(range(40, 50)).write_csv(tmp_path / "in" / "d.csv")
    assert figures(taken(tmp_path)) == (10, 0, 0, 0, 0, 10)
    project(tmp_path, '"upsert"')
    assert figures(taken(tmp_path)) == (10, 0, 0, 10, 0, 0)


def test_a_file_that_held_nothing_new_does_not_undo_a_correction(tmp_path: Path) -> None:
    project(tmp_path, '"upsert"')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(30)).write_csv(tmp_path / "in" / "z.csv")
    assert figures(taken(tmp_path)) == (30, 0, 0, 30, 0, 0)
    visits(range(5), age=1).write_csv(tmp_path / "in" / "b.csv")
    assert figures(taken(tmp_path)) == (5, 0, 5, 0, 0, 0)
    done = taken(tmp_path)
    assert (done.new, done.version.number) == (False, 2)


def test_a_file_that_held_no_row_may_be_filled_later(tmp_path: Path) -> None:
    project(tmp_path, '"append"', key="")
    visits(range(50)).drop("id").write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    (tmp_path / "in" / "b.csv").write_text("age,day,ill\n")
    assert figures(taken(tmp_path)) == (0,) * 6
    visits(range(50, 60)).drop("id").write_csv(tmp_path / "in" / "c.csv")
    assert figures(taken(tmp_path)) == (10, 10, 0, 0, 0, 0)
    visits(range(60, 65)).drop("id").write_csv(tmp_path / "in" / "b.csv")
    assert figures(taken(tmp_path)) == (5, 5, 0, 0, 0, 0)


def test_rules_that_change_form_the_version_anew_from_its_rows(tmp_path: Path, modelyard: Command) -> None:
    project(tmp_path, '"append"')
    visits(range(200)).write_csv(tmp_path / "in" / "a.csv")
    visits(range(200, 250)).write_csv(tmp_path / "in" / "b.csv")
    taken(tmp_path)
    (tmp_path / "in" / "a.csv").unlink()
    project(tmp_path, '"append"', split="{ seed = 3 }")
    done = taken(tmp_path)
    assert (done.new, done.version.rows, figures(done)) == (True, 250, (0,) * 6)
    assert not taken(tmp_path).new
    schema = tmp_path / "data" / "visits.schema.toml"
    text = schema.read_text()
    schema.write_text("[columns.age]\nmaximum = 65\n\n" + text)
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 1
    assert "visits@2, row 47: 'age' is 66, outside of the declared range to 65" in complaint
    schema.write_text("[columns.age]\nmaximum = 120\n\n" + text)
    done = taken(tmp_path)
    assert (done.new, done.version.number, done.version.rows) == (True, 3, 250)


def test_a_transform_is_applied_to_what_is_new(tmp_path: Path) -> None:
    project(tmp_path, '"append"', transform='{ rename = { age = "years" } }')
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(100, 110)).write_csv(tmp_path / "in" / "b.csv")
    done = taken(tmp_path)
    assert (done.version.rows, figures(done)) == (110, (10, 10, 0, 0, 0, 0))
    assert "years" in rows_of(tmp_path, done.version).columns
    assert not taken(tmp_path).new


def joined(folder: Path, incremental: str, **more: str) -> None:
    """Visits with the wards' beds, of two sources."""
    lines = ['[project]\nname = "clinic"', "[data.visits]", 'target = "ill"', 'key = "id"']
    lines += [f"incremental = {incremental}", "[data.visits.sources]"]
    lines += ['visits = "in/*.csv"', 'wards = "wards.csv"', "[data.visits.transform]"]
    lines += [f"{name} = {value}" for name, value in more.items()]
    (folder / "modelyard.toml").write_text("\n".join(lines) + "\n")
    (folder / "in").mkdir(exist_ok=True)


JOIN = "'SELECT v.*, w.beds FROM visits v JOIN wards w ON v.age % 2 = w.ward ORDER BY v.id'"


def test_of_several_sources_one_brings_new_rows(tmp_path: Path, modelyard: Command) -> None:
    joined(tmp_path, '{ mode = "append", source = "visits" }', sql=JOIN)
    (tmp_path / "wards.csv").write_text("ward,beds\n0,10\n1,20\n")
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    visits(range(100, 130)).write_csv(tmp_path / "in" / "b.csv")
    done = taken(tmp_path)
    assert (figures(done), done.version.rows, done.outdated) == ((30, 30, 0, 0, 0, 0), 130, ())
    assert not taken(tmp_path).new
    # What is joined to them may change: new rows are made with what it holds now, others stay, and that is said.
    (tmp_path / "wards.csv").write_text("ward,beds\n0,11\n1,21\n")
    code, out, _ = modelyard("-C", tmp_path, "ingest")
    assert (code, "visits@2: nothing new" in out) == (0, True)
    assert "wards changed: rows that were there before keep what they were made with" in out
    visits(range(130, 140)).write_csv(tmp_path / "in" / "c.csv")
    done = taken(tmp_path)
    assert (figures(done), done.outdated) == ((10, 10, 0, 0, 0, 0), ("wards",))
    found = rows_of(tmp_path, done.version)
    assert found["beds"].value_counts(sort=True).to_dicts()[:2] == [
        {"beds": 10, "count": 65}, {"beds": 20, "count": 65},
    ]  # fmt: skip
    assert set(found.tail(10)["beds"]) == {11, 21}
    assert taken(tmp_path).outdated == ()
    done = taken(tmp_path, full=True)
    assert set(rows_of(tmp_path, done.version)["beds"]) == {11, 21}


def test_rules_that_change_form_a_version_of_several_sources_anew(tmp_path: Path) -> None:
    joined(tmp_path, '"upsert"', base='"visits"')
    (tmp_path / "wards.csv").write_text("ward,beds\n0,10\n1,20\n")
    visits(range(100)).write_csv(tmp_path / "in" / "a.csv")
    taken(tmp_path)
    (tmp_path / "data").mkdir(exist_ok=True)
    schema = tmp_path / "data" / "visits.schema.toml"
    schema.write_text("[columns.age]\nminimum = 0\n" + schema.read_text())
    done = taken(tmp_path)
    assert (done.new, done.version.number, done.version.rows) == (True, 2, 100)
    visits(range(5), age=3).write_csv(tmp_path / "in" / "b.csv")
    assert figures(taken(tmp_path)) == (5, 0, 5, 0, 0, 0)
    assert not taken(tmp_path).new


def test_several_sources_of_which_none_is_said_to_grow(tmp_path: Path, modelyard: Command) -> None:
    for incremental, says in (
        (
            '"append"',
            "does not say which of 'sources' brings new rows: name it, as in { mode = 'append', source = 'visits' }",
        ),
        ('{ mode = "append", source = "visit" }', "'incremental' names 'visit', which is none of 'sources'"),
        ('{ mode = "full", source = "visits" }', "'full' reads all sources anew"),
    ):
        joined(tmp_path, incremental, sql=JOIN)
        code, _, complaint = modelyard("-C", tmp_path, "ingest")
        assert (code, says in complaint) == (2, True), complaint


def test_a_watermark_is_told_through_a_transform_to_what_names_it(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "clinic.db")
    database.execute("CREATE TABLE visits (id TEXT, age INTEGER, at INTEGER, ill TEXT)")

    def add(numbers: range) -> None:
        rows = [(f"p{n}", 20 + n % 50, n, "yes" if n % 3 else "no") for n in numbers]
        database.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", rows)
        database.commit()

    add(range(100))
    grows = '{ mode = "watermark", on = "moment", since = 0 }'
    for where, count in (("", 120), (" WHERE at >= :watermark", 21)):
        shutil.rmtree(tmp_path / ".modelyard", ignore_errors=True)
        database.execute("DELETE FROM visits WHERE at >= 100")
        database.commit()
        query = f"SELECT * FROM visits{where}"
        project(
            tmp_path,
            grows,
            source=f'{{ url = "sqlite:///clinic.db", query = "{query}" }}',
            transform="{ rename = { at = 'moment' }, where = 'age >= 0' }",
        )
        assert taken(tmp_path).version.rows == 100
        add(range(100, 120))
        done = taken(tmp_path)
        assert (done.version.rows, figures(done)[:2]) == (120, (count, 20))
        assert not taken(tmp_path).new
    database.close()


def test_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "incremental.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        (tmp_path / "modelyard.toml").write_text(f'[project]\nname = "p"\n\n{block}')
        assert read(tmp_path, {}).data["visits"].growth.mode != "full"
