"""However a table is read, in whatever pieces, it is the same version."""

import math
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data import Prepared, csv, extract, prepare, texts
from modelyard.data.csv import blocks, header, zeros_ahead
from modelyard.errors import DataRefused
from modelyard.records.profile import Profile
from modelyard.records.schema import Schema
from modelyard.settings import DataSettings
from modelyard.tables.profile import identity
from modelyard.tables.split import SPLIT

FIELDS = st.sampled_from(
    [
        "1",
        "0",
        "-7",
        "+3",
        "007",
        "1.5",
        "1e3",
        "NA",
        "",
        '""',
        '"NA"',
        "nan",
        "-nan",
        "inf",
        "1e999",
        "x",
        "9223372036854775808",
        "12345678901234567890",
        "true",
        "FALSE",
        "tRuE",
        "2026-01-31",
        "2026-02-30",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00",
        '"a, b"',
        '"two\nlines"',
        '"a ""b"""',
        '5" pipe',
        " 3 ",
        "0x10",
        "é",
        "\ufeffmark",
        "0000-01-01",
    ]
)
COLUMNS = st.one_of(
    *(
        st.lists(st.sampled_from(few), min_size=1, max_size=30)
        for few in (
            ["1", "2", "", "NA"],
            ["1", "2.5", "nan"],
            ["1", "12345678901234567890"],
            ["1.0", "12345678901234567890"],
            ["true", "False", ""],
            ["2026-01-31", "2026-02-01"],
            ["2026-01-31T12:00:00", "NA"],
            ["NA", ""],
            [""],
        )
    ),
    st.lists(FIELDS, min_size=1, max_size=30),
)


def read(folder: Path, block: int, **given: object) -> Prepared | str:
    chosen = DataSettings(source=("a.csv",), **given)  # type: ignore[arg-type]
    try:
        return prepare(chosen, folder, previous=None, block=block)
    except DataRefused as refusal:
        return str(refusal)


def told(found: Prepared | str) -> object:
    if isinstance(found, str):
        return found
    exact = identity(found.profile)
    return found.digest, found.schema, found.split, found.marks, found.rows, found.test_rows, exact


@settings(deadline=None, max_examples=60)
@given(column=COLUMNS, block=st.integers(1, 200))
def test_the_size_of_blocks_changes_nothing(
    column: list[str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    lines = "".join(f"{n},{field}\n" for n, field in enumerate(column))
    (folder / "a.csv").write_text(f"n,x\n{lines}")
    whole, pieces = read(folder, 2**20), read(folder, block)
    assert told(whole) == told(pieces)
    if isinstance(whole, Prepared) and isinstance(pieces, Prepared):
        assert whole.frame.equals(pieces.frame)


@settings(deadline=None, max_examples=60)
@given(column=COLUMNS)
def test_the_fast_reader_reads_what_the_rules_for_texts_do(
    column: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fast")
    (folder / "a.csv").write_text("n,x\n" + "".join(f"{n},{field}\n" for n, field in enumerate(column)))
    found = extract("a.csv", folder)["x"]
    as_texts = pl.from_arrow(csv.column(folder / "a.csv", "x"))
    assert isinstance(as_texts, pl.Series)
    kind = texts.fits(as_texts).kind
    if kind is None:
        assert found.null_count() == found.len()
        return
    expected = texts.read(as_texts, kind)
    assert expected is not None
    assert found.dtype == expected.dtype
    assert list(map(repr, found.to_list())) == list(map(repr, expected.to_list()))


@pytest.mark.parametrize(
    ("first", "later", "kind"),
    [
        ("1", "2.5", "float"),
        ("1", "x", "string"),
        ("1", "NA", "integer"),
        ("", "1", "integer"),
        ("", "x", "string"),
        ("1", "12345678901234567890", "string"),
        ("1", "007", "string"),
        ("1.5", "01.5", "string"),
        ("true", "1", "string"),
        ("2026-01-31", "2026-02-30", "string"),
        ("2026-01-31T12:00:00", "2026-01-31T12:00:00+02:00", "datetime"),
    ],
)
def test_a_value_far_down_changes_the_kind_of_the_whole(
    first: str, later: str, kind: str, tmp_path: Path
) -> None:
    lines = [f"{n},{first}" for n in range(5000)] + [f"5000,{later}"]
    (tmp_path / "a.csv").write_text("n,x\n" + "\n".join(lines))
    found = read(tmp_path, 1000, key="n")
    assert isinstance(found, Prepared)
    assert found.schema.column("x").kind == kind
    assert found.rows == 5001
    assert found.frame["n"].to_list() == list(range(5001))


def test_refusals_name_the_row_of_the_file_whatever_the_pieces(tmp_path: Path) -> None:
    lines = [f"{n},{n % 7}" for n in range(3000)]
    for broken, says in (
        ("1,2,3", "a.csv, row 2500: 3 fields, but the header names 2"),
        (f"{2**60},", "a.csv, row 2500: the target 'y' is null (in 1 of 3000 rows)"),
        ("7,1", "a.csv, row 8: the key 'n' is not unique: 7 comes again, and 1 row"),
    ):
        (tmp_path / "a.csv").write_text("n,y\n" + "\n".join([*lines[:2499], broken, *lines[2500:]]))
        frame = "n,y,z\n" if "2,3" in broken else None
        assert frame is None or "3 fields" in says
        chosen = {"key": "n", "target": "y"}
        with_feature = (tmp_path / "a.csv").read_text()
        if "fields" not in says:
            rows = with_feature.splitlines()
            (tmp_path / "a.csv").write_text("\n".join([rows[0] + ",z", *(row + ",1" for row in rows[1:])]))
        assert says in str(read(tmp_path, 500, **chosen))


def test_rows_added_to_a_large_table_move_none(tmp_path: Path) -> None:
    def table(rows: int) -> Prepared:
        pl.DataFrame({"id": range(rows), "x": [math.sin(n) for n in range(rows)]}).write_csv(
            tmp_path / "a.csv"
        )
        found = read(tmp_path, 4096, key="id")
        assert isinstance(found, Prepared)
        return found

    small, large = table(3000), table(5000)
    assert large.frame[SPLIT].head(3000).equals(small.frame[SPLIT])


def test_blocks_are_whole_records_and_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('x,y\n1,"a\nb"\n2,"c ""d"" \n"\n' * 50 + "3,e")
    heard: list[bytes] = []
    for size in (1, 7, 64, 10_000):
        heard.clear()
        read = blocks(path, header(path), size=size, hear=lambda content: heard.append(bytes(content)))
        found = [bytes(block.content) for block in read]  # type: ignore[arg-type]
        assert all(content.count(b'"') % 2 == 0 for content in found)
        assert b"".join(found) == b"".join(heard) == path.read_bytes()
        assert size > 64 or len(found) > 20


@given(st.text(',\n\r" \t0123456789xXa.-+', max_size=12), st.integers(0, 2**17 + 5))
@settings(deadline=None)
def test_fields_that_begin_oddly_are_found(odd: str, place: int) -> None:
    content = b"1," * (place // 2) + odd.encode() + b"1," * 5
    assert zeros_ahead(content) == bool(re.search(rb'(^|[,\n\r"])([ \t]|[+-]?0[0-9xX])', content))


def test_progress_is_told_in_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.data import preparation

    monkeypatch.setattr(preparation, "_SECONDS", 0.0)
    (tmp_path / "a.csv").write_text("n,x\n" + "".join(f"{n},{n % 3}\n" for n in range(2000)))
    heard: list[str] = []
    prepare(DataSettings(source="a.csv"), tmp_path, previous=None, tell=heard.append, block=4096)
    assert any(message.startswith("read 2,000 rows, ") for message in heard)
    assert heard[-1] == "profiled 2,000 rows"


def test_a_kept_scratch_is_empty_once_the_rows_are_let_go(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,x\n" + "".join(f"{n},{n % 3}\n" for n in range(200)))
    found = prepare(DataSettings(source="a.csv"), tmp_path, previous=None, scratch=tmp_path / "s")
    assert len(list((tmp_path / "s").iterdir())) == 1
    del found
    assert list((tmp_path / "s").iterdir()) == []


def test_a_profile_in_pieces_is_that_of_the_whole(tmp_path: Path) -> None:
    from modelyard.tables.gather import gather
    from modelyard.tables.profile import anchor

    rows = 3000
    frame = pl.DataFrame(
        {
            "few": [n % 7 for n in range(rows)],
            "many": [math.sin(n) for n in range(rows)],
            "text": [f"t{n % 11}" for n in range(rows)],
            "name": [f"n{n}" for n in range(rows)],
            "yes": [n % 3 == 0 for n in range(rows)],
        }
    )
    frame.write_csv(tmp_path / "a.csv")
    found = read(tmp_path, 5000)
    assert isinstance(found, Prepared)
    everything: Schema = msgspec.structs.replace(found.schema, target=None, key=())
    whole: Profile = anchor(gather(frame, everything), everything)
    assert identity(found.profile) == identity(whole)
