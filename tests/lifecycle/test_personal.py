"""A column that is marked personal is counted, and no value of it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]

SETTINGS = """
[project]
name = "clinic"

[data.visits]
source = "visits.csv"
target = "ill"
key = "person"

[data.empty]
source = "empty.csv"
"""
SCHEMA = """
[columns.person]
personal = true
[columns.street]
personal = true
[columns.born]
personal = true
"""


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    (tmp_path / "modelyard.toml").write_text(SETTINGS)
    (tmp_path / "empty.csv").write_text("a,b\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "visits.schema.toml").write_text(SCHEMA)
    written(tmp_path, "Elm", 1950)
    return tmp_path


def written(folder: Path, street: str, born: int) -> None:
    rows = [
        f"Smith{n},{street} Row {n % 3},{born + n % 7},{n % 11},{'yes' if n % 3 else 'no'}" for n in range(90)
    ]
    (folder / "visits.csv").write_text("person,street,born,visits,ill\n" + "\n".join(rows) + "\n")


def test_neither_show_nor_its_page_nor_a_difference_tells_a_value(modelyard: Command, clinic: Path) -> None:
    assert modelyard("-C", clinic, "ingest", "visits")[0] == 0
    written(clinic, "Oak", 1990)
    assert modelyard("-C", clinic, "ingest", "visits")[0] == 0
    page = clinic / "page.html"
    assert modelyard("-C", clinic, "data", "show", "visits", "--html", page)[0] == 0
    told = [
        modelyard("-C", clinic, "data", "show", "visits")[1],
        modelyard("-C", clinic, "data", "show", "visits", "--json")[1],
        modelyard("-C", clinic, "diff", "visits@1", "visits@2")[1],
        modelyard("-C", clinic, "diff", "visits@1", "visits@2", "--json")[1],
        page.read_text(),
    ]
    for text in told:
        assert "street" in text
        for value in ("Smith", "Elm", "Oak", "1950", "1990", "1953", "1993"):
            assert value not in text
    assert "(personal)" in told[2]


def test_of_several_each_is_told_and_the_refused_one_named(modelyard: Command, clinic: Path) -> None:
    code, output, complaint = modelyard("-C", clinic, "ingest")
    assert code == 1
    assert "visits@1: 90 rows" in output
    assert "empty: " in complaint
