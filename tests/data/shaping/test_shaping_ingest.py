"""Transforms through the command line, on files and databases."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

Command = Callable[..., tuple[int, str, str]]

VISITS = """visit,patient_id,age,admitted,weight,ill
1,p1,34,01/02/2026,"1.070,5",yes
2,p2,17,02/02/2026,"61,0",no
3,p1,34,13/02/2026,"70,5",no
4,p3,58,20/02/2026,NA,yes
5,p2,18,28/02/2026,"62,5",yes
6,p4,41,01/03/2026,"80,0",no
"""
LABS = """patient_id,taken,crp
p1,2026-01-30T08:00:00,4.5
p1,2026-02-12T08:00:00,9.25
p1,2026-02-14T08:00:00,99.0
p3,2026-02-20T00:00:00,7.0
p3,2026-02-20T00:00:01,70.0
p4,2026-01-01T00:00:00,1.0
"""
SETTINGS = '[project]\nname = "ward"\n\n[data.ward]\ntarget = "ill"\nkey = "visit"\nsplit = { test = 0.5 }\n'


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "visits.csv").write_text(VISITS)
    (tmp_path / "data" / "labs.csv").write_text(LABS)
    return tmp_path


def configure(ward: Path, text: str) -> None:
    (ward / "modelyard.toml").write_text(SETTINGS + text)


def ingested(modelyard: Command, ward: Path, text: str) -> pl.DataFrame:
    """The rows of the newest version, by key."""
    configure(ward, text)
    code, _, errors = modelyard("-C", ward, "ingest", "ward")
    assert code == 0, errors
    return rows(modelyard, ward)


def rows(modelyard: Command, ward: Path) -> pl.DataFrame:
    out = ward / "out.parquet"
    out.unlink(missing_ok=True)
    code, _, errors = modelyard("-C", ward, "data", "checkout", "ward@latest", out)
    assert code == 0, errors
    return pl.read_parquet(out).sort("visit")


def refused(modelyard: Command, ward: Path, text: str) -> str:
    configure(ward, text)
    code, _, errors = modelyard("-C", ward, "ingest", "ward")
    assert code in (1, 2), errors
    assert "Traceback" not in errors
    assert not list((ward / ".modelyard").rglob("rows-*")), "nothing is left lying about"
    code, out, _ = modelyard("-C", ward, "data", "--json")
    assert code != 0 or json.loads(out) in ([], {"datasets": []}) or "ward@1" not in out
    return " ".join(errors.split())


ONE = 'source = "data/visits.csv"\n\n[data.ward.transform]\n'
TWO = 'sources = { visits = "data/visits.csv", labs = "data/labs.csv" }\n\n[data.ward.transform]\n'


def test_one_source_is_cleaned(modelyard: Command, ward: Path) -> None:
    found = ingested(
        modelyard,
        ward,
        ONE
        + 'parse = { admitted = "%d/%m/%Y", weight = "1.234,5" }\ncast = { age = "float", patient_id = "string" }\n'
        + 'rename = { patient_id = "patient" }\nwhere = "age >= 18"\ndrop = ["patient"]\n',
    )
    assert found.columns == ["visit", "age", "admitted", "weight", "ill"]
    assert found["visit"].to_list() == [1, 3, 4, 5, 6]
    assert found["weight"].to_list() == [1070.5, 70.5, None, 62.5, 80.0]
    assert found.schema["age"] == pl.Float64
    assert str(found["admitted"][1]) == "2026-02-13"


@pytest.mark.parametrize("file", [False, True])
def test_two_files_are_joined_by_a_query(modelyard: Command, ward: Path, file: bool) -> None:
    query = "SELECT v.visit, v.age, v.ill, MAX(l.crp) AS crp FROM visits v LEFT JOIN labs l ON v.patient_id = l.patient_id GROUP BY v.visit, v.age, v.ill"
    (ward / "data" / "clean.sql").write_text(f"-- the highest\n{query};\n")
    found = ingested(modelyard, ward, f'{TWO}sql = "{"data/clean.sql" if file else query}"\n')
    assert found["crp"].to_list() == [99.0, None, 99.0, 70.0, None, 1.0]


def test_a_database_and_a_file_are_joined(modelyard: Command, ward: Path) -> None:
    with sqlite3.connect(ward / "data" / "ward.db") as database:
        database.execute("CREATE TABLE patients (id TEXT, sex TEXT)")
        database.executemany("INSERT INTO patients VALUES (?, ?)", [("p1", "f"), ("p2", "m"), ("p3", "f")])
    database.close()
    found = ingested(
        modelyard,
        ward,
        'sources.visits = "data/visits.csv"\n'
        'sources.patients = { url = "sqlite:///data/ward.db", query = "SELECT * FROM patients" }\n'
        "[data.ward.transform]\n"
        'sql = "SELECT visit, age, sex, ill FROM visits JOIN patients ON visits.patient_id = patients.id"\n',
    )
    assert found["sex"].to_list() == ["f", "m", "f", "f", "m"]


def test_sources_are_stacked(modelyard: Command, ward: Path) -> None:
    (ward / "data" / "more.csv").write_text("visit,age,ill\n7,70,yes\n8,71,no\n")
    found = ingested(
        modelyard,
        ward,
        'sources = { a = "data/visits.csv", b = "data/more.csv" }\n[data.ward.transform]\n'
        'sql = "SELECT visit, age, ill FROM a UNION ALL SELECT visit, age, ill FROM b"\n',
    )
    assert found["visit"].to_list() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_features_as_of_the_row_s_time(modelyard: Command, ward: Path) -> None:
    asof = '[[data.ward.transform.asof]]\nsource = "labs"\non = "taken"\nat = "admitted"\nby = "patient_id"\nprefix = "lab_"\n'
    text = TWO + 'base = "visits"\nparse = { "visits.admitted" = "%d/%m/%Y", "visits.weight" = "1.234,5" }\n'
    found = ingested(modelyard, ward, text + asof)
    assert found["lab_crp"].to_list() == [4.5, None, 9.25, 7.0, None, 1.0]
    found = ingested(modelyard, ward, text + asof + 'strict = true\ntolerance = "30d"\n')
    assert found["lab_crp"].to_list() == [4.5, None, 9.25, None, None, None]
    found = ingested(
        modelyard, ward, f'{text}drop = ["patient_id", "lab_taken"]\n{asof}columns = ["crp", "taken"]\n'
    )
    assert found.columns == ["visit", "age", "admitted", "weight", "ill", "lab_crp"]


def test_a_function_of_the_project(modelyard: Command, ward: Path) -> None:
    (ward / "data" / "units.py").write_text("FACTOR = 2\n")
    clean = ward / "data" / "clean.py"
    clean.write_text(
        "import polars as pl\nfrom units import FACTOR\n\n\n"
        "def clean(visits: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:\n"
        "    highest = labs.group_by('patient_id').agg(pl.col('crp').max() * FACTOR)\n"
        "    return visits.join(highest, on='patient_id', how='left').drop('weight', 'admitted')\n"
    )
    text = TWO + 'python = "data/clean.py:clean"\n'
    assert ingested(modelyard, ward, text)["crp"].to_list() == [198.0, None, 198.0, 140.0, None, 2.0]
    _, out, _ = modelyard("-C", ward, "ingest", "ward")
    assert "ward@1: nothing new" in out

    (ward / "data" / "units.py").write_text("FACTOR = 4\n")
    assert ingested(modelyard, ward, text)["crp"].to_list() == [396.0, None, 396.0, 280.0, None, 4.0]

    clean.write_text(clean.read_text() + "# a remark\n")
    (ward / "data" / "other.py").write_text("def rows(): ...\n")
    _, out, _ = modelyard("-C", ward, "ingest", "ward")
    assert "ward@2: nothing new" in out, "other words, the same rows"
    _, out, _ = modelyard("-C", ward, "lineage", "ward@2")
    assert "data/clean.py" in out
    assert "data/units.py" in out
    assert "other.py" not in out


def test_another_transform_may_give_other_columns_and_an_unchanged_one_may_not(
    modelyard: Command, ward: Path
) -> None:
    asked = "SELECT visit, age, patient_id, ill FROM source"
    ingested(modelyard, ward, f'{ONE}sql = "{asked}"\n')
    found = ingested(
        modelyard, ward, f"{ONE}sql = \"SELECT visit, 'a' AS age, 1.5 AS dose, admitted, ill FROM source\"\n"
    )
    assert found.columns == ["visit", "age", "dose", "admitted", "ill"]
    assert found.schema["age"] == pl.String
    found = ingested(modelyard, ward, 'source = "data/visits.csv"\n')
    assert found.columns == VISITS.partition("\n")[0].split(",")

    visits = ward / "data" / "visits.csv"
    configure(ward, f'{ONE}sql = "SELECT * FROM source WHERE age > 20"\n')
    assert modelyard("-C", ward, "ingest", "ward")[0] == 0
    visits.write_text(VISITS.replace("weight", "mass"))
    code, _, errors = modelyard("-C", ward, "ingest", "ward")
    assert (
        code,
        "no column 'weight', which the version before has, but column 'mass' instead" in errors,
    ) == (1, True), errors


def test_what_a_version_was_made_of_is_told_without_reading(modelyard: Command, ward: Path) -> None:
    (ward / "data" / "clean.sql").write_text("SELECT visit, age, ill FROM source")
    ingested(modelyard, ward, ONE + 'sql = "data/clean.sql"\n')
    store = ward / "data" / "visits.csv"
    before = store.stat()
    _, out, _ = modelyard("-C", ward, "ingest", "ward")
    assert "nothing new" in out
    assert not (ward / ".modelyard" / "scratch").exists()
    (ward / "data" / "clean.sql").write_text("SELECT visit, age + 1 AS age, ill FROM source")
    _, out, _ = modelyard("-C", ward, "ingest", "ward")
    assert "ward@2" in out
    assert rows(modelyard, ward)["age"].to_list() == [35, 18, 35, 59, 19, 42]
    assert store.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("keep", "ages"),
    [
        ('"first"', {1: 34, 2: 17, 3: 34, 4: 58, 5: 18, 6: 41}),
        ('"last"', {1: 99, 2: 17, 3: 34, 4: 58, 5: 18, 6: 41}),
        ('{ by = "age", keep = "first" }', {1: 34, 2: 11, 3: 34, 4: 58, 5: 18, 6: 41}),
        ('{ by = "age" }', {1: 99, 2: 17, 3: 34, 4: 58, 5: 18, 6: 41}),
    ],
)
def test_one_row_of_each_key(modelyard: Command, ward: Path, keep: str, ages: dict[int, int]) -> None:
    with (ward / "data" / "visits.csv").open("a") as out:
        out.write('1,p1,99,01/02/2026,"1,0",yes\n2,p1,11,01/02/2026,"1,0",yes\n')
    if keep == '"last"':
        ages = ages | {2: 11}
    found = ingested(modelyard, ward, f"{ONE}deduplicate = {keep}\n")
    assert dict(zip(found["visit"], found["age"], strict=True)) == ages


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ONE + 'sql = "SELEC * FROM source"', r"'sql' is no query; begin it with SELECT or WITH"),
        (ONE + 'sql = "SELECT *\\nFROM source\\nWHERRE age > 1"', r"'sql', line 3, column 8: Expected: end of statement, found: age; mend"),
        (ONE + 'sql = "SELECT * FROM sourc"', r"'sql': there is no table 'sourc'; did you mean 'source'?"),
        (ONE + 'sql = "SELECT visit, agee, ill FROM source"', r"'sql': there is no column 'agee'; did you mean 'age'?"),
        (TWO + 'sql = "SELECT v.agee FROM visits v JOIN labs l ON v.patient_id = l.patient_id"', r"there is no column 'agee'; did you mean 'age'?"),
        (ONE + 'sql = "SELECT foo(age) FROM source"', r"'sql': unsupported function 'foo'; mend the query"),
        (ONE + 'sql = "SELECT visit, ill, CAST(patient_id AS INT) AS p FROM source"', r"'sql' fails on the rows: conversion from `str` to `i32` failed in column 'patient_id'"),
        (ONE + 'sql = "SELECT * FROM source WHERE age > 200"', r"'sql' gives no rows"),
        (ONE + 'sql = "SELECT * FROM read_csv(\'/etc/passwd\')"', r"'sql' reads a file by itself"),
        (ONE + 'sql = "DROP TABLE source"', r"'sql' is no query"),
        (ONE + 'sql = "data/none.sql"', r"There is no file 'data/none.sql' in"),
        (TWO + 'sql = "SELECT * FROM visits JOIN labs USING (patient_id)"', r"gives two columns 'patient_id' \(the other as 'patient_id:labs'\)"),
        (ONE + "where = \"agee > 1\"", r"'where': there is no column 'agee'; did you mean 'age'?"),
        (ONE + 'where = "age + 1"', r"'where': filter predicate must be of type `Boolean`"),
        (ONE + 'where = "age >"', r"'where': unable to parse"),
        (ONE + 'where = "age > 200"', r"'where' \(age > 200\) leaves none of 6 rows; change it"),
        (ONE + 'parse = { admitted = "%Y-%m-%d" }', r"visits.csv, row 1: 'admitted' is the text '01/02/2026', which cannot be read as '%Y-%m-%d' \(6 values in all\)"),
        (ONE + 'parse = { admitted = "%m/%d/%Y" }', r"visits.csv, row 3: 'admitted' is the text '13/02/2026', which cannot be read as '%m/%d/%Y' \(3 values in all\)"),
        (ONE + 'parse = { admited = "%d/%m/%Y" }', r"'parse': the source has no column 'admited'; did you mean 'admitted'\?.*those of .*visits\.csv, line 1"),
        (ONE + 'parse = { admitted = "day" }', r"'parse': 'day' of 'admitted' is no format"),
        (ONE + 'parse = { weight = "1,234.5" }', r"visits.csv, row 1: 'weight' is the text '1.070,5', which cannot be read"),
        (ONE + 'cast = { patient_id = "integer" }', r"visits.csv, row 1: 'patient_id' is the text 'p1', which is lost in a cast to integer \(6 values in all\)"),
        (ONE + 'cast = { age = "boolean" }', r"row 1: 'age' is 34, which is lost in a cast to boolean"),
        (ONE + 'rename = { patient_id = "age" }', r"'rename' gives the source two columns 'age'"),
        (ONE + 'drop = ["weigth"]', r"'drop': there is no column 'weigth'; did you mean 'weight'?"),
        (TWO + 'base = "visits"\ncast = { age = "float" }', r"'cast': 'age' names no column of a source; write SOURCE.COLUMN of one of the sources visits, labs"),
        (TWO, r"'sources' need a 'transform' with 'sql', 'python' or 'base'"),
        (TWO + 'base = "visit"', r"'base' names 'visit', which is none of 'sources'"),
        (TWO + 'base = "visits"\nsql = "SELECT 1"', r"'sql' and 'base' exclude each other"),
        (ONE + 'sql = "SELECT * FROM source"\ndeduplicate = "last"', r"the rows of 'sql' have no order"),
        (ONE + 'deduplicate = { by = "aged" }', r"'deduplicate': there is no column 'aged'; did you mean 'age'?"),
        (ONE + 'sql = "SELECT visit, ill, ARRAY_AGG(age) AS ages FROM source GROUP BY visit, ill"', r"The transform's column 'ages' is of type List\(Int64\), which has no place"),
        (ONE + 'sql = "SELECT age AS visit, age, ill FROM source WHERE age < 40"', r"the transform's output, row \d: the key 'visit' is not unique: 34"),
        ('source = "data/visits.csv"\nsources = { a = "data/labs.csv" }\n', r"either 'source' or 'sources'"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_and_where(modelyard: Command, ward: Path, text: str, says: str) -> None:
    import re

    assert re.search(says, refused(modelyard, ward, text + "\n")), refused(modelyard, ward, text + "\n")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def clean(source):\n    return source.nothing()\n", r"clean raised at .*clean\.py, line 2 \('return source.nothing\(\)'\): AttributeError"),
        ("def clean(source):\n    return source.select('nothing')\n", r"clean raised: ColumnNotFoundError: unable to find column \"nothing\""),
        ("def clean(source):\n    return source.collect()\n", r"returned a DataFrame; return a lazy frame of Polars, '.lazy\(\)' makes one"),
        ("def clean(source):\n    return None\n", r"returned a NoneType"),
        ("def clean(visits):\n    return visits\n", r"asks for 'visits', which is no source; there are source"),
        ("def clean():\n    return None\n", r"takes no source; give it arguments: source"),
        ("def tidy(source):\n    return source\n", r"defines no function 'clean'"),
        ("def clean(source)\n", r"cannot be imported at .*clean\.py, line 1"),
        ("import polars as pl\ndef clean(source):\n    def hm(s):\n        raise ValueError('no')\n    return source.with_columns(pl.col('age').map_batches(hm))\n", r"clean raised.*no"),
        ("def clean(source):\n    return source.filter(False)\n", r"'python' gives no rows"),
    ],
)  # fmt: skip
def test_a_function_is_blamed_by_its_line(modelyard: Command, ward: Path, code: str, says: str) -> None:
    import re

    (ward / "data" / "clean.py").write_text(code)
    errors = refused(modelyard, ward, ONE + 'python = "data/clean.py:clean"\n')
    assert re.search(says, errors), errors


def test_numbers_and_dates_as_texts_keep_what_was_written(modelyard: Command, ward: Path) -> None:
    with (ward / "data" / "visits.csv").open("w") as out:
        writer = csv.writer(out)
        writer.writerow(["visit", "day", "amount", "code", "at", "ill"])
        for visit in range(1, 9):
            writer.writerow(
                [
                    visit,
                    f"2026020{visit}",
                    "1.500",
                    f"00{visit}.10",
                    f"0{visit}.02.2026 07:05 +0100",
                    visit % 2,
                ]
            )
    found = ingested(
        modelyard,
        ward,
        ONE
        + 'parse = { day = "%Y%m%d", amount = "1.234,5", at = "%d.%m.%Y %H:%M %z" }\ncast = { code = "string" }\n',
    )
    assert str(found["day"][0]) == "2026-02-01"
    assert found["amount"].to_list() == [1500.0] * 8
    assert found["code"][0] == "001.10"
    assert found["at"][0].isoformat() == "2026-02-01T06:05:00+00:00"


def test_what_is_appended_is_transformed_too_and_by_the_same_transform(
    modelyard: Command, ward: Path
) -> None:
    text = 'source = "data/day*.csv"\nincremental = "append"\n[data.ward.transform]\nparse = { weight = "1.234,5" }\n'
    head, *lines = VISITS.splitlines(keepends=True)
    (ward / "data" / "day1.csv").write_text(head + "".join(lines[:4]))
    assert ingested(modelyard, ward, text)["weight"].to_list() == [1070.5, 61.0, 70.5, None]
    (ward / "data" / "day2.csv").write_text(head + "".join(lines[4:]))
    assert ingested(modelyard, ward, text)["weight"].to_list() == [1070.5, 61.0, 70.5, None, 62.5, 80.0]
    _, out, _ = modelyard("-C", ward, "ingest", "ward")
    assert "ward@2: nothing new" in out

    configure(ward, text + 'where = "age >= 18"\n')
    code, _, errors = modelyard("-C", ward, "ingest", "ward")
    assert code == 1
    assert "The rows of ward@2 were made by another transform" in errors
    assert modelyard("-C", ward, "ingest", "ward", "--full")[0] == 0
    assert rows(modelyard, ward)["visit"].to_list() == [1, 3, 4, 5, 6]
    configure(ward, f'{TWO}base = "visits"\n'.replace("sources =", 'incremental = "append"\nsources ='))
    code, _, errors = modelyard("-C", ward, "ingest", "ward")
    assert (code, "The rows of ward@3 were made by another transform" in errors) == (1, True), errors
