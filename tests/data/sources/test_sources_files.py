"""Files of every form, read as a project reads them: staged, extracted, compared."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.data import extract
from modelyard.data.sources.text import _last_record, _with_commas
from modelyard.data.staging import stage
from modelyard.errors import DataRefused, ModelyardError, SourceMissing, StoreDown
from modelyard.settings import SourceSettings

ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "name": ["a,b", 'say "x"', "é"],
        "weight": [1.5, None, 2.0],
        "seen": [dt.date(2026, 1, 31), None, dt.date(2026, 2, 1)],
        "well": [True, False, None],
    }
)
CSV = 'id,name,weight,seen,well\n1,"a,b",1.5,2026-01-31,true\n2,"say ""x""",,,false\n3,é,2.0,2026-02-01,\n'


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def source(**settings: Any) -> SourceSettings:
    return SourceSettings(**settings)


def json_lines() -> str:
    return "\n".join(
        json.dumps({k: v for k, v in row.items() if v is not None}, default=str) for row in ROWS.to_dicts()
    )


def excel(path: Path, *rows: tuple[Any, ...], sheet: str = "Sheet") -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_every_form_gives_the_same_rows(tmp_path: Path) -> None:
    tabs = CSV.replace(",", "\t").replace("a\tb", "a,b")
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.tsv").write_text(tabs)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "a.csv.zst").write_bytes(zstd(CSV.encode()))
    (tmp_path / "a.tsv.zst").write_bytes(zstd(tabs.encode()))
    (tmp_path / "a.jsonl").write_text(json_lines())
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(json_lines().encode()))
    ROWS.write_parquet(tmp_path / "a.parquet")
    ROWS.write_ipc(tmp_path / "a.arrow")
    ROWS.write_ipc(tmp_path / "a.feather", compression="zstd")
    ROWS.write_ipc_stream(tmp_path / "stream.arrow")
    excel(tmp_path / "a.xlsx", tuple(ROWS.columns), *ROWS.rows())
    for path in sorted(tmp_path.iterdir()):
        if path.is_file():
            assert extract(path.name, tmp_path).select(ROWS.columns).equals(ROWS), path.name
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


def test_separators_and_encodings_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("name;rate\nJürgen;1,5\n".encode("latin-1"))
    found = extract(source(path="a.csv", separator=";", encoding="latin-1"), tmp_path)
    assert found.to_dicts() == [{"name": "Jürgen", "rate": "1,5"}]
    (tmp_path / "b.csv").write_bytes("name,n\nJürgen,1\n".encode("utf-16"))
    assert extract(source(path="b.csv", encoding="utf-16"), tmp_path)["name"].to_list() == ["Jürgen"]
    (tmp_path / "c.tsv").write_text('size\tn\n5" pipe\t1\n"open\t2\n')
    assert extract(source(path="c.tsv", quotes=False), tmp_path)["size"].to_list() == ['5" pipe', '"open']
    with pytest.raises(DataRefused, match=r"a\.csv, row 1, column .*: not UTF-8"):
        extract("a.csv", tmp_path)
    with pytest.raises(DataRefused, match=r"a\.csv.* not utf-16"):
        extract(source(path="a.csv", encoding="utf-16"), tmp_path)


@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from('ab,;"\n '), max_size=5), min_size=2, max_size=2),
        min_size=1,
        max_size=8,
    ),
    size=st.integers(1, 40),
)
def test_other_separators_keep_every_field(rows: list[list[str]], size: int) -> None:
    def quoted(field: str) -> str:
        return '"' + field.replace('"', '""') + '"' if set(field) & set(';"\n') else field

    def comma(field: str) -> str:
        return '"' + field.replace('"', '""') + '"' if set(field) & set(',;"\n') else field

    import csv
    import io

    text = "".join(";".join(map(quoted, row)) + "\n" for row in rows).encode()
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])
    found = b"".join(_with_commas(pieces, b";", quotes=True)).decode()
    assert list(csv.reader(io.StringIO(found, newline=""))) == rows


def test_a_block_ends_outside_of_quotes() -> None:
    assert _last_record(b'a\n"b\nc') == 2
    assert _last_record(b'"a\nb"\nc') == 6
    assert _last_record(b'"a\nb') == 0


def test_a_folder_is_read_whole_in_sorted_order(tmp_path: Path) -> None:
    for name in (
        "b/2.csv",
        "a-b/0.csv",
        "a/1.csv",
        "a.csv",
        "c.parquet",
        ".hidden.csv",
        "_SUCCESS",
        "a/_log/x.csv",
    ):
        path = tmp_path / "rows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "c.parquet":
            pl.DataFrame({"x": ["c.parquet"]}).write_parquet(path)
        else:
            path.write_text(f"x\n{name}\n")
    assert extract("rows", tmp_path)["x"].to_list() == [
        "a/1.csv",
        "a-b/0.csv",
        "a.csv",
        "b/2.csv",
        "c.parquet",
    ]
    (tmp_path / "rows" / "notes.md").write_text("x")
    with pytest.raises(DataRefused, match=r"notes\.md: its ending tells no form"):
        extract("rows", tmp_path)


def test_a_list_stacks_sources_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,day\n1,2026-01-01\n")
    (tmp_path / "b.jsonl").write_text('{"day": "2026-01-02", "x": 2.5}\n')
    excel(tmp_path / "c.xlsx", ("x", "day"), (3, dt.date(2026, 1, 3)))
    found = extract(("a.csv", source(path="b.jsonl"), "c.xlsx", "a.csv"), tmp_path)
    assert found.rows() == [
        (1.0, dt.date(2026, 1, 1)),
        (2.5, dt.date(2026, 1, 2)),
        (3.0, dt.date(2026, 1, 3)),
    ]


def test_local_tables_are_named_in_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    ROWS.write_parquet(tmp_path / "b.parquet")
    staged = stage(("a.csv", "b.parquet"), tmp_path, tmp_path / "scratch")
    assert [s.path for s in staged] == [tmp_path / "a.csv", tmp_path / "b.parquet"]
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"x": 1}\n{"x": "a"}\n', r"row 2: column 'x' holds texts here and numbers before"),
        ('{"x": true}\n{"x": 1}\n', r"row 2: column 'x' holds numbers here and true or false before"),
        ('{"x": 1}\n{"x": \n', r"line 2: no JSON"),
        ('{"x": 1} {"x": 2}\n', r"line 1: no JSON"),
        ('{"x": NaN}\n', r"line 1: no JSON"),
        ("[1]\n", r"line 1: no object"),
        ('{"x": 1}\n{"x": {"y": 1}}\n', r"line 2: column 'x' is nested"),
        ('{"x": 18446744073709551616}\n', r"'x' cannot be read"),
        ("", r"has no columns"),
    ],
)
def test_json_lines_that_are_none(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataRefused, match=rf"a\.jsonl.*{says}"):
        stage("a.jsonl", tmp_path, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_json_lines_of_many_pieces(tmp_path: Path) -> None:
    lines = [
        json.dumps({"n": n if n < 70_000 else n + 0.5, "d": "2026-01-01", "s": "x"}) for n in range(90_000)
    ]
    lines += [json.dumps({"n": 1, "d": "2026-01-01", "s": "2026-01-01", "late": True})]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    (staged,) = stage("a.jsonl", tmp_path, tmp_path / "scratch")
    found = pl.read_parquet(staged.path)
    assert found.schema == {"n": pl.Float64, "d": pl.Date, "s": pl.String, "late": pl.Boolean}
    assert found.height == 90_001
    assert found["late"].null_count() == 90_000
    assert [p.name for p in (tmp_path / "scratch").iterdir()] == [staged.path.name]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:30_000], '{"n": "x"}']))
    with pytest.raises(DataRefused, match=r"row 30001: column 'n' holds texts here and numbers before"):
        stage("a.jsonl", tmp_path, tmp_path / "scratch")


def test_excel_cells_as_they_are_meant(tmp_path: Path) -> None:
    excel(
        tmp_path / "a.xlsx",
        ("n", "rate", "day", "at", "code", "gap", "na"),
        (1, 1, dt.datetime(2026, 1, 31), dt.datetime(2026, 1, 31, 12, 30), "007", None, "NA"),
        (None,),
        (2, 2.5, None, dt.datetime(2026, 2, 1), "NA", None, "#N/A"),
        ("#N/A", "NA", dt.date(2026, 2, 1), None, "", None, None),
    )
    found = extract("a.xlsx", tmp_path)
    assert found["n"].to_list() == [1, 2, None]
    assert found["rate"].to_list() == [1.0, 2.5, None]
    assert found["day"].to_list() == [dt.date(2026, 1, 31), None, dt.date(2026, 2, 1)]
    times = [dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC), dt.datetime(2026, 2, 1, tzinfo=dt.UTC), None]
    assert found["at"].to_list() == times
    assert found["code"].to_list() == ["007", "NA", None]
    assert found["na"].to_list() == ["NA", None, None]
    assert found["gap"].null_count() == 3


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("x",), (1,), ("a",)], r"line 3: column 'x' is 'a' here and a number above"),
        ([("x",), (dt.date(2026, 1, 1),), (1,)], r"line 3: column 'x' is 1 here and a date above"),
        ([("x",), (dt.time(12),)], r"line 2: column 'x' is a time without a day"),
        ([("x",), ("#DIV/0!",)], r"line 2: column 'x' is #DIV/0!; mend the formula"),
        ([("x", "x"), (1, 2)], r"names column 'x' twice"),
        ([("x", None, "y"), (1, 2, 3)], r"column 2 has no name"),
        ([("x",), (1, 2)], r"line 2: a value beyond the last named column"),
        ([], r"is empty"),
    ],
)
def test_excel_that_is_no_table(rows: list[tuple[Any, ...]], says: str, tmp_path: Path) -> None:
    excel(tmp_path / "a.xlsx", *rows)
    with pytest.raises(DataRefused, match=rf"a\.xlsx, sheet 'Sheet'.*{says}"):
        extract("a.xlsx", tmp_path)


def test_excel_sheets_by_name(tmp_path: Path) -> None:
    excel(tmp_path / "a.xlsx", ("x",), (1,), sheet="patients")
    assert extract(source(path="a.xlsx", sheet="patients"), tmp_path)["x"].to_list() == [1]
    with pytest.raises(DataRefused, match=r"no sheet 'other'; it has patients"):
        extract(source(path="a.xlsx", sheet="other"), tmp_path)
    (tmp_path / "b.xlsx").write_text("x\n1\n")
    with pytest.raises(DataRefused, match="no readable Excel file"):
        extract("b.xlsx", tmp_path)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.jsonl.gz"])
@pytest.mark.parametrize("damage", ["cut", "changed", "none of it"])
def test_damaged_compressed_files(name: str, damage: str, tmp_path: Path) -> None:
    text = json.dumps({"x": 1}) + "\n" if "json" in name else "x\n" + "1\n" * 5000
    content = gzip.compress(text.encode()) if name.endswith("gz") else zstd(text.encode())
    damaged = {
        "cut": content[:-9],
        "changed": content[:12] + bytes([content[12] ^ 255, content[13] ^ 255]) + content[14:],
        "none of it": text.encode(),
    }
    (tmp_path / name).write_bytes(damaged[damage])
    with pytest.raises(DataRefused, match=f"{name} is no whole"):
        extract(name, tmp_path)
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pl.Series("x", [[1]]), r"column 'x' is of type .*list"),
        (pl.Series("x", [dt.time(1)]), r"column 'x' is of type time"),
        (pl.Series("x", [b"1"]), r"column 'x' is of type .*binary"),
        (pl.Series("x", [2**64 - 1], dtype=pl.UInt64), r"column 'x' is of type integers beyond 64 bits"),
    ],
)
def test_types_without_a_place(column: pl.Series, says: str, tmp_path: Path) -> None:
    column.to_frame().write_ipc(tmp_path / "a.arrow")
    with pytest.raises(DataRefused, match=rf"a\.arrow: {says}"):
        extract("a.arrow", tmp_path)


def test_narrow_types_and_categories_come_as_their_kinds(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "n": pl.Series([1, None], dtype=pl.UInt8),
            "f": pl.Series([0.5, None], dtype=pl.Float32),
            "c": pl.Series(["a", None], dtype=pl.Categorical),
            "d": pl.Series([10, None]).cast(pl.Decimal(10, 0)),
        }
    )
    frame.write_ipc(tmp_path / "a.arrow")
    assert extract("a.arrow", tmp_path).rows() == [(1, 0.5, "a", 10), (None, None, None, None)]


def test_damaged_arrow_and_empty_files(tmp_path: Path) -> None:
    ROWS.write_ipc(tmp_path / "a.arrow")
    content = (tmp_path / "a.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(content[: len(content) // 2])
    (tmp_path / "b.arrow").write_bytes(b"")
    (tmp_path / "c.feather").write_text("x\n1\n")
    for name in ("a.arrow", "b.arrow", "c.feather"):
        with pytest.raises(DataRefused, match=name.replace(".", r"\.")):
            extract(name, tmp_path)
    (tmp_path / "rows").mkdir()
    with pytest.raises(SourceMissing, match="holds no files"):
        extract("rows", tmp_path)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x\n" + b"1\n" * 10_000))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    scratch = tmp_path / "scratch"
    monkeypatch.setattr("modelyard.data.sources.text.recoded", full)
    with pytest.raises(StoreDown, match=r"a\.csv\.gz: the disk under .*scratch is full; make room"):
        stage("a.csv.gz", tmp_path, scratch)
    assert not scratch.exists()


@pytest.mark.parametrize(
    "name",
    ["a.json", "a", "a.parquet.gz", "a.txt"],
)
def test_forms_that_no_ending_tells(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(ModelyardError, match=r"set 'format'|unpack it"):
        extract(name, tmp_path)


def test_the_setting_tells_the_form(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\n1\n")
    assert extract(source(path="a.txt", format="csv"), tmp_path)["x"].to_list() == [1]
