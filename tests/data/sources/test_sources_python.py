"""Functions, SQLite and Delta tables as sources."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from modelyard.data import extract, fingerprint
from modelyard.data.staging import stage
from modelyard.errors import AuthorError, DataRefused, SettingsError, SourceDown, SourceMissing
from modelyard.settings import SourceSettings


def feed(folder: Path, code: str) -> pl.DataFrame:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "feed.py").write_text(code)
    return extract(SourceSettings(python="data/feed.py:rows"), folder)


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd\ndef rows():\n    yield pd.DataFrame({'x': [1, 2]})\n    yield pd.DataFrame({'x': [3]})",
        "import polars as pl\ndef rows():\n    return pl.DataFrame({'x': [1, 2, 3]})",
        "import polars as pl\ndef rows():\n    return pl.LazyFrame({'x': [1, 2, 3]})",
        "import pyarrow as pa\ndef rows():\n    return pa.table({'x': [1, 2, 3]}).to_batches()",
        "def rows():\n    for n in (1, 2, 3):\n        yield {'x': n}",
        "def rows():\n    return [{'x': n} for n in (1, 2, 3)]",
        "from helper import numbers\ndef rows():\n    return ({'x': n} for n in numbers())",
    ],
)
def test_what_a_function_may_yield(code: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "helper.py").write_text("def numbers():\n    return (1, 2, 3)\n")
    before = set(sys.modules), list(sys.path)
    assert feed(tmp_path, code)["x"].to_list() == [1, 2, 3]
    assert "helper" not in sys.modules
    assert list(sys.path) == before[1]
    assert fingerprint(SourceSettings(python="data/feed.py:rows"), tmp_path) is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "def rows():\n    yield {'x': 1}\n    1 / 0\n",
            r"raised at .*feed\.py, line 3 \('1 / 0'\): ZeroDivisionError",
        ),
        ("def rows(\n", r"cannot be imported at .*feed\.py, line 1 .*: SyntaxError"),
        ("import not_there\n", r"cannot be imported at .*line 1 .*not_there'; install it"),
        ("x = 1\n", r"defines no function 'rows'"),
        ("def rows(day):\n    return []\n", r"'rows' must take no arguments"),
        ("def rows():\n    return 3\n", r"returned a int"),
        ("def rows():\n    yield {'x': 1}\n    yield 3\n", r"yielded a int as number 2"),
        ("def rows():\n    yield from ()\n", r"yielded no rows"),
        ("def rows():\n    yield {1: 1}\n", r"with the key 1"),
        ("def rows():\n    raise SystemExit(3)\n", r"raised at .*line 2 .*SystemExit"),
    ],
)
def test_an_author_s_mistake_has_its_line(code: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match=f"^data/feed.py:rows.*{says}"):
        feed(tmp_path, code)
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


def test_frames_that_do_not_fit_together(tmp_path: Path) -> None:
    code = "import polars as pl\ndef rows():\n    yield pl.DataFrame({'x': [1]})\n    yield pl.DataFrame({'%s': [%s]})\n"
    with pytest.raises(DataRefused, match=r"from row 2: lacks column 'x'"):
        feed(tmp_path, code % ("y", 1))
    with pytest.raises(
        DataRefused, match=r"row 2: column 'x' holds text values here and integer values before"
    ):
        feed(tmp_path, code % ("x", "'a'"))
    assert feed(tmp_path, code % ("x", "2.5"))["x"].to_list() == [1.0, 2.5]
    assert feed(tmp_path, code % ("x", "None"))["x"].to_list() == [1, None]


def test_names_of_functions(tmp_path: Path) -> None:
    for name in ("feed.py", "feed:rows", "feed.py:1x"):
        with pytest.raises(SettingsError, match="names no function"):
            extract(SourceSettings(python=name), tmp_path)
    with pytest.raises(SourceMissing, match=r"no file 'feed\.py'"):
        extract(SourceSettings(python="feed.py:rows"), tmp_path)


def clinic(folder: Path) -> Path:
    path = folder / "clinic.db"
    with sqlite3.connect(path) as database:
        database.execute("create table patients (id integer, age real, name text, seen text, mixed)")
        rows = [(n, 20 + n / 2, f"p{n}", "2026-01-31", n if n < 45_000 else "x") for n in range(50_000)]
        database.executemany("insert into patients values (?, ?, ?, ?, ?)", rows)
    database.close()
    return path


def test_sqlite(tmp_path: Path) -> None:
    path = clinic(tmp_path)
    source = SourceSettings(url="sqlite:///clinic.db", query="select id, age, name, seen from patients")
    found = extract(source, tmp_path)
    assert found.schema == {"id": pl.Int64, "age": pl.Float64, "name": pl.String, "seen": pl.Date}
    assert found.height == 50_000
    assert found.row(3) == (3, 21.5, "p3", dt.date(2026, 1, 31))
    absolute = SourceSettings(url=f"sqlite:///{path}", query="select count(*) as n from patients;")
    assert extract(absolute, tmp_path)["n"].to_list() == [50_000]
    with pytest.raises(DataRefused, match=r"sqlite:///clinic\.db.* row 45001: column 'mixed' holds texts"):
        extract(SourceSettings(url="sqlite:///clinic.db", query="select mixed from patients"), tmp_path)
    with pytest.raises(DataRefused, match=r"refuses the query: no such table: nurses"):
        extract(SourceSettings(url="sqlite:///clinic.db", query="select * from nurses"), tmp_path)
    with pytest.raises(DataRefused, match=r"refuses the query: attempt to write a readonly"):
        extract(SourceSettings(url="sqlite:///clinic.db", query="delete from patients"), tmp_path)
    with pytest.raises(SettingsError, match="needs a query"):
        extract("sqlite:///clinic.db", tmp_path)
    with pytest.raises(SourceMissing, match=r"no database 'other\.db'"):
        extract(SourceSettings(url="sqlite:///other.db", query="select 1"), tmp_path)


def test_sqlite_is_known_by_its_file_and_its_query(tmp_path: Path) -> None:
    path = clinic(tmp_path)
    (tmp_path / "q.sql").write_text("select id from patients;\n")
    source = SourceSettings(url="sqlite:///clinic.db", query="q.sql")
    before = fingerprint(source, tmp_path)
    assert before is not None
    assert [f.path for f in before] == ["clinic.db"]
    assert fingerprint(source, tmp_path) == before
    (tmp_path / "q.sql").write_text("select age from patients;\n")
    assert fingerprint(source, tmp_path) != before
    (tmp_path / "q.sql").write_text("select id from patients;\n")
    with sqlite3.connect(path) as database:
        database.execute("insert into patients (id) values (1)")
    database.close()
    assert fingerprint(source, tmp_path) != before


def test_sqlite_that_somebody_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clinic(tmp_path)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.1}))
    holder = real(path, isolation_level=None)
    holder.execute("begin exclusive")
    try:
        with pytest.raises(SourceDown, match="is locked; run it again"):
            extract(SourceSettings(url="sqlite:///clinic.db", query="select id from patients"), tmp_path)
    finally:
        holder.close()


def test_a_delta_table_and_its_versions(tmp_path: Path) -> None:
    place = tmp_path / "lake" / "patients"
    first = pl.DataFrame(
        {"id": [1, 2], "ward": ["a", "b"], "t": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 2}
    )
    write_deltalake(place, first.to_arrow(), partition_by=["ward"])
    write_deltalake(place, first.with_columns(pl.col("id") + 2).to_arrow(), mode="append")
    for source in ("lake/patients", SourceSettings(delta="lake/patients"), str(place)):
        assert sorted(extract(source, tmp_path)["id"].to_list()) == [1, 2, 3, 4]
    old = extract(SourceSettings(delta="lake/patients", version=0), tmp_path).sort("id")
    assert old.select("id", "ward").rows() == [(1, "a"), (2, "b")]
    now = fingerprint("lake/patients", tmp_path)
    assert now is not None
    assert now[0].mark == "version 1"
    (staged,) = stage("lake/patients", tmp_path, tmp_path / "scratch")
    assert staged.origin == "lake/patients, version 1"
    write_deltalake(place, first.to_arrow(), mode="overwrite")
    assert fingerprint("lake/patients", tmp_path) != now
    with pytest.raises(SourceMissing, match=r"no version 9 to read \(its latest is 2\)"):
        extract(SourceSettings(delta="lake/patients", version=9), tmp_path)
    with pytest.raises(SourceMissing, match="no Delta table at 'lake'"):
        extract(SourceSettings(delta="lake"), tmp_path)


def test_a_delta_table_that_lost_a_file(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pl.DataFrame({"id": [1, 2]}).to_arrow())
    for part in (tmp_path / "t").glob("*.parquet"):
        part.unlink()
    with pytest.raises(DataRefused, match=r"^t, version 0"):
        extract("t", tmp_path)
    assert not list(tmp_path.glob(".modelyard/scratch/*"))
