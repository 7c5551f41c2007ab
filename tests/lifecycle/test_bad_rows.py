"""Every way in which rows go wrong: one sentence with file, row and column, and no half version."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

Command = Callable[..., tuple[int, str, str]]
Lines = list[str]


def lines(rows: int = 90) -> Lines:
    return ["id,age,weight,ward,ill"] + [
        f"{n},{20 + n * 37 % 60},{50 + n / 8},{'abc'[n % 3]},{('yes', 'no')[n * 7 % 5 < 2]}"
        for n in range(rows)
    ]


def write(path: Path, given: Lines) -> None:
    path.write_text("\n".join(given) + "\n")


@pytest.fixture
def clinic(tmp_path: Path, modelyard: Command) -> Path:
    """A project with ``patients@1``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "modelyard.toml").write_text(
        '[project]\nname = "clinic"\n[data.patients]\nsource = "data/*.csv*"\ntarget = "ill"\nkey = "id"\n'
    )
    write(tmp_path / "data" / "a.csv", lines())
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 0, complaint
    return tmp_path


def refused(modelyard: Command, clinic: Path, *says: str, code: int = 1) -> str:
    """One sentence, the version before as it was, and a yard that is whole."""
    got, output, complaint = modelyard("-C", clinic, "ingest")
    assert got == code, output + complaint
    assert len(complaint.strip().splitlines()) == 1
    assert len(complaint) < 1500
    for part in says:
        assert part in complaint
    assert [v["number"] for v in json.loads(modelyard("-C", clinic, "data", "--json")[1])] == [1]
    assert modelyard("-C", clinic, "doctor")[0] == 0
    assert not list((clinic / ".modelyard/artifacts/tables/.scratch").iterdir())
    return complaint


def changed(row: int, line: str) -> Callable[[Lines], Lines]:
    return lambda given: [*given[:row], line, *given[row + 1 :]]


def dropped(column: int) -> Callable[[Lines], Lines]:
    def change(given: Lines) -> Lines:
        cells = (line.split(",") for line in given)
        return [",".join(row[:column] + row[column + 1 :]) for row in cells]

    return change


LONG = "z" * 10_000_000
ROWS: dict[str, tuple[Callable[[Lines], Lines], tuple[str, ...]]] = {
    "a field too many": (changed(7, "6,26,50.5,a,yes,x"), ("a.csv, row 7: 6 fields",)),
    "fields too few": (changed(7, "6,26"), ("a.csv, row 7: 2 fields",)),
    "an open quote": (changed(7, '6,"26,50.5,a,yes'), ("a.csv, row 7: a quote is not closed",)),
    "a text among integers": (changed(7, "6,old,50.5,a,yes"), ("a.csv, row 7: 'age' must be an integer", "'old'")),
    "a text among numbers": (changed(7, "6,26,heavy,a,yes"), ("a.csv, row 7: 'weight' must be a number",)),
    "10 MB in a number's place": (changed(7, f"6,{LONG},50.5,a,yes"), ("a.csv, row 7: 'age'", "zzz...")),
    "a number of 10 MB": (changed(7, f"6,{'9' * 10_000_000},50.5,a,yes"), ("a.csv, row 7: 'age'", "999...")),
    "a NUL byte": (changed(7, "6,2\0006,50.5,a,yes"), ("a.csv, row 7: 'age' must be",)),
    "a key that is not a number": (changed(7, "NaN,26,50.5,a,yes"), ("a.csv, row 7: the key 'id' is null",)),
    "a key twice": (changed(7, "5,26,50.5,a,yes"), ("a.csv, row 6: the key 'id' is not unique: 5",)),
    "a row without an outcome": (changed(7, "6,26,50.5,a,"), ("a.csv, row 7: the target 'ill' is null",)),
    "another header": (changed(0, "id,Age,weight,ward,ill"), ("a.csv, line 1: no column 'age', which the version before has", "but column 'Age' instead")),
    "a column twice": (changed(0, "id,age,age,ward,ill"), ("a.csv: the header names column 'age' twice",)),
    "a column without a name": (changed(0, "id,,weight,ward,ill"), ("a.csv: column 2 has no name",)),
    "a column less": (dropped(2), ("a.csv, line 1: no column 'weight', which",)),
    "a column more": (lambda g: [g[0] + ",new", *(x + ",1" for x in g[1:])], ("a.csv, line 1: column 'new', which the version before has not",)),
    "no rows": (lambda g: g[:1], ("a.csv: columns but no rows",)),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_cannot_be_taken(modelyard: Command, clinic: Path, case: str) -> None:
    change, says = ROWS[case]
    write(clinic / "data" / "a.csv", change(lines(95)))
    refused(modelyard, clinic, *says)


def test_a_later_file_is_named_with_its_own_row(modelyard: Command, clinic: Path) -> None:
    more = lines(120)
    write(clinic / "data" / "b.csv", [more[0], *changed(4, "x,26,50.5,a,yes")(more[91:])])
    refused(modelyard, clinic, "b.csv, row 5: 'id' must be an integer, not the text 'x'")
    write(clinic / "data" / "b.csv", dropped(1)([more[0], *more[91:]]))
    refused(modelyard, clinic, "b.csv, line 1: no column 'age', which", "a.csv has")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "\n".join(changed(7, "6,26,50.5,ä,yes")(lines())).encode("latin-1"),
            "a.csv, row 7, column 'ward': not UTF-8 (byte 0xE4, 'ä' in cp1252)",
        ),
        ("\n".join(lines()).encode("utf-16"), "a.csv is not UTF-8 but utf-16; set the source's encoding"),
        (b"", "a.csv is empty"),
    ],
    ids=["latin", "utf-16", "empty"],
)
def test_files_of_another_encoding(modelyard: Command, clinic: Path, content: bytes, says: str) -> None:
    (clinic / "data" / "a.csv").write_bytes(content)
    refused(modelyard, clinic, says)


def test_a_glob_without_files_and_a_file_that_is_cut_off(modelyard: Command, clinic: Path) -> None:
    (clinic / "data" / "a.csv").unlink()
    refused(modelyard, clinic, "No file matches 'data/*.csv*'", code=2)
    whole = gzip.compress("\n".join(lines(95)).encode())
    (clinic / "data" / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    refused(modelyard, clinic, "a.csv.gz is no whole gzip file")


def test_parquet_that_is_cut_off_or_changed(modelyard: Command, clinic: Path) -> None:
    settings = clinic / "modelyard.toml"
    settings.write_text(settings.read_text().replace("data/*.csv*", "data/a.parquet"))
    path = clinic / "data" / "a.parquet"
    pq.write_table(pl.read_csv(clinic / "data" / "a.csv").to_arrow(), path, write_page_checksum=True)
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 4] ^= 0xFF
    for content in (
        b"",
        whole[: len(whole) // 2],
        whole[:-4],
        bytes(middle),
        b"PAR1" + b"\0" * 100 + b"PAR1",
    ):
        path.write_bytes(content)
        complaint = refused(modelyard, clinic, f"{path} ")
        assert "is no readable Parquet file" in complaint


def test_the_order_of_columns_infinities_and_long_texts_are_no_mistake(
    modelyard: Command, clinic: Path
) -> None:
    given = changed(7, f"6,26,NaN,{LONG},yes")(changed(8, "7,27,-inf,b,no")(lines(95)))
    write(clinic / "data" / "a.csv", [",".join(reversed(line.split(","))) for line in given])
    code, output, complaint = modelyard("-C", clinic, "ingest")
    assert code == 0, complaint
    assert "patients@2: 95 rows" in output
    assert "ward: categories" in output
    assert "weight: range" in output
    assert "zzz" not in output
    assert modelyard("-C", clinic, "data", "show", "patients@2")[0] == 0
    file = clinic / "out.parquet"
    assert modelyard("-C", clinic, "data", "checkout", "patients@2", file)[0] == 0
    found = pl.read_parquet(file)
    assert found.columns == ["id", "age", "weight", "ward", "ill"]
    assert found["weight"].is_nan().sum() == found["weight"].is_infinite().sum() == 1
    assert found["ward"][6] == LONG
