"""The examples of ``docs/sources``: each is a setting, and those of this machine are built."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from deltalake import write_deltalake

from modelyard.cli.run import run
from modelyard.data import extract
from modelyard.settings import read

DOCS = Path(__file__).parents[3] / "docs" / "sources"
EXAMPLES = [
    (page.name, block)
    for page in sorted(DOCS.glob("*.md"))
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL)
]


def project(folder: Path, block: str) -> Path:
    (folder / "modelyard.toml").write_text(f'[project]\nname = "example"\n\n{block}')
    return folder


def test_every_page_has_an_example() -> None:
    assert {page for page, _ in EXAMPLES} == {page.name for page in DOCS.glob("*.md")}


@pytest.mark.parametrize(("page", "block"), EXAMPLES, ids=lambda v: v if v.endswith(".md") else "")
def test_an_example_is_a_setting(page: str, block: str, tmp_path: Path) -> None:
    assert read(project(tmp_path, block), {}).data, page


@pytest.mark.parametrize(
    ("page", "block"),
    [(page, block) for page, block in EXAMPLES if "://" not in block or "sqlite" in block],
    ids=lambda v: v if v.endswith(".md") else "",
)
def test_an_example_of_this_machine_is_ingested(
    page: str, block: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = pl.DataFrame({"id": range(300), "age": [n % 80 for n in range(300)], "seen": ["2026-01-31"] * 300})
    data = tmp_path / "data"
    for folder in (data / "patients", data / "2025"):
        folder.mkdir(parents=True)
    if page in ("files.md", "README.md"):
        with (data / "patients" / "a.csv.gz").open("wb") as out:
            rows.write_csv(out, compression="gzip")
        rows.write_csv(data / "patients.csv", separator=";")
        rows.write_csv(data / "late.csv", separator=";")
        rows.write_csv(data / "2025" / "a.csv")
        rows.with_columns(pl.col("seen").str.to_date()).write_parquet(data / "2026.parquet")
        book = openpyxl.Workbook()
        sheet = book.create_sheet("2026")
        for row in (tuple(rows.columns), *rows.rows()):
            sheet.append(row)
        book.save(data / "patients.xlsx")
    elif page == "delta.md":
        for _ in range(4):
            write_deltalake(tmp_path / "lake" / "patients", rows.to_arrow(), mode="overwrite")
    elif page == "python.md":
        code = re.search(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
        assert code is not None
        (data / "feed.py").write_text(code[1])
    elif page == "databases.md":
        with sqlite3.connect(tmp_path / "clinic.db") as database:
            database.execute("create table visits (id integer, age integer, seen text)")
            database.executemany("insert into visits values (?, ?, ?)", rows.rows())
        database.close()
    (name,) = read(project(tmp_path, block), {}).data
    assert run(["-C", str(tmp_path), "ingest", name]) == 0, capfd.readouterr().err
    assert f"{name}@1" in capfd.readouterr().out
    for source in read(tmp_path, {}).data[name].inputs.values():
        assert extract(source, tmp_path).height > 20
