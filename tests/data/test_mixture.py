"""A few values of another kind in a column: said at once, with file and row."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.data import Prepared, prepare
from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Schema
from modelyard.settings import DataSettings, SplitSettings


def prepared(
    folder: Path, odd: dict[int, str], *, column: str = "age", rows: int = 200, **given: object
) -> Prepared:
    values = [
        {"id": n, "age": str(20 + n % 50), "seen": f"2026-01-{1 + n % 28:02}", "well": ("true", "false")[n % 2],
         "code": f"{n:03}", "ill": ("yes", "no")[n % 3 == 0]}
        for n in range(rows)
    ]  # fmt: skip
    for row, value in odd.items():
        values[row - 1][column] = value
    lines = [",".join(values[0]), *(",".join(map(str, row.values())) for row in values)]
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    settings = DataSettings(source="a.csv", target="ill", key="id", split=SplitSettings(test=0.3), refuse=given.pop("refuse", ()))  # type: ignore[arg-type]  # fmt: skip
    return prepare(settings, folder, previous=None, **given)  # type: ignore[arg-type]


def mixed(found: Prepared) -> list[str]:
    return [f.sentence for f in found.findings if f.kind == "mixed"]


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("age", "unknown", "no number"),
        ("age", "1e999", "no number"),
        ("seen", "31.1.2026", "no date"),
        ("well", "perhaps", "neither true nor false"),
    ],
)
def test_a_value_that_makes_texts_of_a_column_is_named(
    column: str, value: str, word: str, tmp_path: Path
) -> None:
    found = prepared(tmp_path, {120: value, 130: value}, column=column)
    assert found.schema.column(column).kind == "string"
    (sentence,) = mixed(found)
    assert f"'{column}' is read as texts, because 2 of its 200 values are {word}, the first in" in sentence
    assert f"a.csv, row 120, the text '{value}'" in sentence


def test_codes_and_real_texts_are_no_mixture(tmp_path: Path) -> None:
    assert mixed(prepared(tmp_path, {})) == []
    found = prepared(tmp_path, dict.fromkeys(range(1, 60), "many words"))
    assert found.schema.column("age").kind == "string"
    assert mixed(found) == []


def test_it_can_be_made_to_refuse(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"a\.csv, row 3.*'refuse' names mixed"):
        prepared(tmp_path, {3: "old"}, refuse=("mixed",))


def known(folder: Path, odd: dict[int, str]) -> Prepared:
    """Of a table whose version before had integers there."""
    columns = prepared(folder, {}).schema.columns
    found = prepared(folder, odd)
    assert found
    before = Schema(columns=columns, target="ill", key=("id",))
    settings = DataSettings(source="a.csv", target="ill", key="id", split=SplitSettings(test=0.3))
    return prepare(settings, folder, previous=before)


@pytest.mark.parametrize("value", ["9" * 20, "9" * 400, "1e999", "-1e999"])
def test_numbers_beyond_any_are_refused_where_numbers_are_expected(value: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"a\.csv, row 5: 'age' must be an integer, not the text '-?[19]"):
        known(tmp_path, {5: value})


def test_integers_that_become_floats_are_said(tmp_path: Path) -> None:
    found = known(tmp_path, {5: "20.5"})
    assert found.schema.column("age").kind == "float"
    assert [f.columns for f in found.findings if f.kind == "widened"] == [("age",)]
    assert not [f for f in known(tmp_path, {}).findings if f.kind == "widened"]


def test_an_infinity_that_is_written_as_one_is_a_float(tmp_path: Path) -> None:
    found = prepared(tmp_path, {5: "inf", 6: "-Infinity"})
    column: Column = found.schema.column("age")
    assert column.kind == "float"
    assert mixed(found) == []


def test_a_bad_value_brings_no_nonsense_about_groups_and_names(tmp_path: Path) -> None:
    """Numbers that are texts because of one of them repeat like codes of people, and differ like names."""
    values = [
        f"{n},{20 + n * 7 % 90},{n / 7},{n / 9},2026-01-{1 + n % 28:02},{'yes' if n % 3 else 'no'}"
        for n in range(400)
    ]
    lines = ["id,age,weight,height,seen,ill", *values]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    settings = DataSettings(source="a.csv", target="ill", key="id", split=SplitSettings(test=0.3))
    clean = prepare(settings, tmp_path, previous=None)
    assert {f.kind for f in clean.findings} == {"same_columns"}
    lines[7] = "6,old,heavy,tall,soon,yes"
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    found = prepare(settings, tmp_path, previous=None)
    assert [f.kind for f in found.findings] == ["mixed"] * 4 + ["same_columns"]
    assert {f.columns for f in found.findings if f.kind == "same_columns"} == {("weight", "height")}
    # Nor in the versions after, which take the texts for granted.
    again = prepare(settings, tmp_path, previous=found.schema)
    assert [f.kind for f in again.findings] == ["same_columns"]


def test_codes_of_digits_and_columns_that_are_named_so_are_still_watched(tmp_path: Path) -> None:
    lines = [
        "id,patient_id,card,x,ill",
        *(f"{n},{n // 4},{n // 4:05},{n * 37 % 101},{'yes' if n % 3 else 'no'}" for n in range(400)),
    ]
    lines[9] = "8,none,00002,5,no"
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    settings = DataSettings(source="a.csv", target="ill", key="id", split=SplitSettings(test=0.3))
    found = prepare(settings, tmp_path, previous=None)
    assert {f.columns for f in found.findings if f.kind == "group_leak"} == {("patient_id",), ("card",)}
