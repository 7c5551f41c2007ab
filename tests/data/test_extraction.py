import datetime as dt
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data import extract
from modelyard.errors import DataRefused, StoreDown
from modelyard.records.schema import Column, Schema
from modelyard.tables.infer import infer


def csv(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(folder: Path, content: str | bytes, **schema: object) -> pl.DataFrame:
    csv(folder, content)
    return extract("a.csv", folder, **schema)  # type: ignore[arg-type]


def column(folder: Path, *values: str, quote: bool = False) -> pl.Series:
    lines = [f'"{v}",1' if quote else f"{v},1" for v in values]
    return rows(folder, "x,y\n" + "\n".join(lines) + "\n")["x"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "-2", "+3", ""), [1, -2, 3, None]),
        (("9223372036854775807", "0"), [2**63 - 1, 0]),
        (("1", "2.5", "1e3", ".5", "1.", "-0.0"), [1.0, 2.5, 1000.0, 0.5, 1.0, -0.0]),
        (("1", "NA", "null", " 3 "), [1, None, None, 3]),
        (("inf", "-Infinity", "1"), [math.inf, -math.inf, 1.0]),
        (("true", "FALSE", "True", ""), [True, False, True, None]),
        (("2026-01-31", ""), [dt.date(2026, 1, 31), None]),
        (
            ("2026-01-31T12:00:00", "2026-01-31 12:00:00.5+01:00"),
            [
                dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC),
                dt.datetime(2026, 1, 31, 11, 0, 0, 500000, tzinfo=dt.UTC),
            ],
        ),
        (("007", "123"), ["007", "123"]),
        (("9223372036854775808", "1"), ["9223372036854775808", "1"]),
        (("9223372036854775808", "1.5"), [9223372036854775808.0, 1.5]),
        (("a", "NA", " b "), ["a", "NA", " b "]),
        (("1", "x"), ["1", "x"]),
        (("NA", "NA"), ["NA", "NA"]),
        (("2026-02-30",), ["2026-02-30"]),
        (("31.01.2026",), ["31.01.2026"]),
        (("1_000", "2"), ["1_000", "2"]),
        (("0x10",), ["0x10"]),
        (("١", "2"), ["١", "2"]),
        (("true", "1"), ["true", "1"]),
        (("", ""), [None, None]),
    ],
)
def test_what_a_column_of_texts_stands_for(
    values: tuple[str, ...], expected: list[object], tmp_path: Path
) -> None:
    found = column(tmp_path, *values).to_list()
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


def test_nan_is_a_float_and_no_null(tmp_path: Path) -> None:
    found = column(tmp_path, "NaN", "", "1").to_list()
    assert math.isnan(found[0])
    assert found[1:] == [None, 1.0]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_floats_are_read_to_the_last_bit(
    values: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = column(tmp_path_factory.mktemp("f"), *map(repr, values))
    assert [float(v).hex() for v in found] == [v.hex() for v in values]


def test_an_empty_text_in_quotes_is_no_null(tmp_path: Path) -> None:
    assert rows(tmp_path, 'x,y\n"",1\n,2\na,3\n')["x"].to_list() == ["", None, "a"]


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n1,a\n2,b\n",
        b"x,y\n1,a\n2,b",
        b"x,y\r\n1,a\r\n2,b\r\n",
        b"\xef\xbb\xbfx,y\n1,a\n2,b\n",
        b'"x","y"\n"1","a"\n"2","b"\n',
        b"\n\nx,y\n1,a\n\n2,b\n\n",
    ],
)
def test_dialects(content: bytes, tmp_path: Path) -> None:
    assert rows(tmp_path, content).to_dict(as_series=False) == {"x": [1, 2], "y": ["a", "b"]}


def test_quotes_commas_and_line_breaks_in_a_text(tmp_path: Path) -> None:
    content = 'x,y\n"a ""quoted"", text\r\nof two lines",1\n"é,😀",2\n'
    assert rows(tmp_path, content)["x"].to_list() == ['a "quoted", text\r\nof two lines', "é,😀"]


def test_a_cell_of_ten_megabytes(tmp_path: Path) -> None:
    big = "x" * 10_000_000
    found = rows(tmp_path, f'x,y\n1,short\n2,"{big}"\n3,{big}\n')
    assert found["y"].str.len_bytes().to_list() == [5, 10_000_000, 10_000_000]
    csv(tmp_path, f"x,y\n1,{'z' * 40_000_000}\n2,b\n")
    assert extract("a.csv", tmp_path)["y"].str.len_bytes().to_list() == [40_000_000, 1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a.csv is empty"),
        (b"\n\n", "a.csv is empty"),
        (b"\xef\xbb\xbf", "a.csv is empty"),
        (b"x,y\n", "columns but no rows"),
        (b"x,y", "columns but no rows"),
        (b"x,y\n1,2\n3\n", "a.csv, row 2: 1 fields, but the header names 2"),
        (b"x,y\n1,2\n3,4\n5,6,7\n", "a.csv, row 3: 3 fields, but the header names 2"),
        (b"x,y\n" + b"1,2\n" * 5_000_000 + b"3\n", "a.csv, row 5000001: 1 fields"),
        (b"x,y,x\n1,2,3\n", "names column 'x' twice"),
        (b",y\n0,1\n", "column 1 has no name"),
        (b"x, \n0,1\n", "column 2 has no name"),
        (
            "x,y\na,1\n1,ü\n".encode("latin-1"),
            "a.csv, row 2, column 'y': not UTF-8 (byte 0xFC, 'ü' in cp1252)",
        ),
        ('x,ä\n"of\n\ntwo lines",1\n\n1,'.encode() + b"\xfc", "a.csv, row 2, column 'ä': not UTF-8"),
        (b"x,y\n" + b"1,2\n" * 500_000 + b"3,\x81\n", "row 500001, column 'y': not UTF-8 (byte 0x81); set"),
        ("ü,2\n".encode("latin-1") * 2, "set the source's 'encoding' to what the file was written in"),
        ("y,ä\n1,1\n".encode("latin-1"), "a.csv, name 2 in the header: not UTF-8"),
        (
            "x,y\na,1\n".encode("utf-16"),
            'a.csv is not UTF-8 but utf-16; set the source\'s encoding = "utf-16".',
        ),
        (b'x,y\n1,a\n2,"b\n3,c\n', "a.csv, row 2: a quote is not closed"),
        (b'"x,y\n1,2\n', "a.csv"),
        (b"x;y\n1;2\n", "separated by ';'"),
        (b"x\ty\n1\t2\n", "separated by a tab"),
        (bytes(range(256)) * 4, "a.csv"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xff\xfe", "a.csv"),
    ],
)
def test_malformed_files_are_refused_with_file_and_row(content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused) as caught:
        rows(tmp_path, content)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


@settings(deadline=None, max_examples=150)
@given(content=st.binary(max_size=60) | st.text('ab,"\n\r;1.é', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_in_a_sentence(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    try:
        height = rows(folder, content).height
    except DataRefused as refusal:
        said = str(refusal)
    else:
        said = "a.csv" if height else ""
    assert "a.csv" in said


def test_other_formats_and_broken_parquet(tmp_path: Path) -> None:
    csv(tmp_path, "x", "a.xlsx")
    csv(tmp_path, "x,y\n1,2\n", "a.parquet")
    csv(tmp_path, b"", "b.parquet")
    with pytest.raises(DataRefused, match="no readable Excel file"):
        extract("a.xlsx", tmp_path)
    for name in ("a.parquet", "b.parquet"):
        with pytest.raises(DataRefused, match=f"{name} is no readable Parquet"):
            extract(name, tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv(tmp_path, "x,y\n1,2\n")
    for error, raised in (
        (PermissionError(13, "no"), DataRefused),
        (OSError(5, "Input/output error"), StoreDown),
    ):

        def refuse(*_: object, error: OSError = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refuse)
            with pytest.raises(raised, match=r"a\.csv"):
                extract("a.csv", tmp_path)


def test_many_files_are_one_frame_in_order(tmp_path: Path) -> None:
    csv(tmp_path, "x,y\n1,a\n", "1.csv")
    csv(tmp_path, "y,x\nb,2.5\n", "2.csv")
    pl.DataFrame({"x": [None, 4], "y": ["c", None]}).write_parquet(tmp_path / "3.parquet")
    csv(tmp_path, "x,y\n,\n", "4.csv")
    found = extract(("[12].csv", "3.parquet", "4.csv"), tmp_path)
    assert found.to_dict(as_series=False) == {
        "x": [1.0, 2.5, None, 4.0, None],
        "y": ["a", "b", "c", None, None],
    }


@pytest.mark.parametrize("rows", [0, 3, 4_092, 4_093, 4_094, 9_000])
def test_a_small_file_is_read_like_a_large_one(tmp_path: Path, rows: int) -> None:
    csv(tmp_path, "x,y\n-1,a\n", "1.csv")
    csv(tmp_path, "x,y\n" + "7,b\n" * rows + "8,c", "2.csv")
    found = extract("*.csv", tmp_path)
    assert found["x"].to_list() == [-1, *[7] * rows, 8]


def test_storage_types_of_one_kind_are_brought_together(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 1, 1)
    for name, category, unit in (("1", pl.Categorical, "ns"), ("2", pl.String, "ms")):
        pl.DataFrame(
            {"s": pl.Series(["a"], dtype=category), "t": pl.Series([moment], dtype=pl.Datetime(unit))}
        ).write_parquet(tmp_path / f"{name}.parquet")
    found = extract("*.parquet", tmp_path)
    assert found["s"].to_list() == ["a", "a"]
    assert found["t"].to_list() == [moment.replace(tzinfo=dt.UTC)] * 2


def test_columns_that_differ_name_file_line_and_column(tmp_path: Path) -> None:
    csv(tmp_path, "x,y\n1,a\n", "1.csv")
    csv(tmp_path, "x\n1\n", "2.csv")
    with pytest.raises(DataRefused, match=r"2\.csv, line 1: no column 'y', which .*1\.csv has; files of one"):
        extract("*.csv", tmp_path)
    with pytest.raises(DataRefused, match=r"1\.csv, line 1: column 'y', which .*2\.csv has not"):
        extract(("2.csv", "1.csv"), tmp_path)
    csv(tmp_path, "\nx,z\n1,2\n", "2.csv")
    with pytest.raises(
        DataRefused, match=r"2\.csv, line 2: no column 'y', which .*1\.csv has, but column 'z' instead"
    ):
        extract("*.csv", tmp_path)


@pytest.mark.parametrize("source", ["*.csv", ("2.csv", "1.csv")])
def test_numbers_here_and_texts_there_name_file_column_and_row(
    source: str | tuple[str, ...], tmp_path: Path
) -> None:
    csv(tmp_path, "x,y\n1,1\n2,2\n", "1.csv")
    csv(tmp_path, "x,y\n1,1\n2,2\nthree,3\n", "2.csv")
    with pytest.raises(
        DataRefused, match=r"2\.csv, row 3: 'x' is the text 'three', but .*1\.csv holds integer"
    ):
        extract(source, tmp_path)


def test_kinds_that_differ_in_parquet_name_both_files(tmp_path: Path) -> None:
    pl.DataFrame({"x": [None, True]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"x": [None, 2]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataRefused, match=r"2\.parquet, row 2: 'x' is 2, but .*1\.parquet holds boolean"):
        extract("*.parquet", tmp_path)


def test_a_type_without_a_kind_names_file_and_column(tmp_path: Path) -> None:
    pl.DataFrame({"x": [[1]]}).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataRefused, match=r"1\.parquet: column 'x' is of type List"):
        extract("1.parquet", tmp_path)


KNOWN = Schema(
    columns=(
        Column(name="code", kind="string"),
        Column(name="n", kind="integer"),
        Column(name="f", kind="float"),
        Column(name="new", kind="float", nullable=True),
    )
)


def test_a_schema_says_how_texts_are_read_and_which_columns(tmp_path: Path) -> None:
    found = rows(tmp_path, "other,code,n,f,new\n1,007,1,1,x\n2,12,,2,y\n", schema=KNOWN)
    assert found.to_dict(as_series=False) == {
        "code": ["007", "12"],
        "n": [1, None],
        "f": [1.0, 2.0],
        "new": ["x", "y"],
    }


def test_a_text_that_is_not_the_known_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"a\.csv, row 2: 'n' must be an integer, not the text 'two'"):
        rows(tmp_path, "code,n,f,new\na,1,1,1\nb,two,2,2\n", schema=KNOWN)
    assert rows(tmp_path, "code,n,f,new\na,1.5,1,1\n", schema=KNOWN)["n"].to_list() == [1.5]


def test_csv_and_parquet_of_one_content_are_one(tmp_path: Path) -> None:
    from modelyard.tables.digest import digest

    frame = pl.DataFrame(
        {
            "i": [1, None, 3],
            "f": [0.1, math.nan, None],
            "b": [True, None, False],
            "s": ["a", None, "c,d"],
            "d": [dt.date(2026, 1, 1), None, None],
            "t": pl.Series([dt.datetime(2026, 1, 1, 1, 2, 3, 4), None, None]),
            "e": pl.Series([None] * 3, dtype=pl.Int64),
        }
    )
    frame.write_csv(tmp_path / "a.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6f")
    frame.write_parquet(tmp_path / "a.parquet")
    found = [extract(name, tmp_path) for name in ("a.csv", "a.parquet")]
    schemas = [infer(f, target=None, key=()) for f in found]
    assert schemas[0] == schemas[1]
    assert digest(found[0], schemas[0]) == digest(found[1], schemas[1])
