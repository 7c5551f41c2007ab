import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import DataRefused, StoreDown, Tampered
from modelyard.records.schema import Column, Schema
from modelyard.tables.delta import DIGEST, Part, adopt, names, read, scan, write
from modelyard.tables.digest import digest
from modelyard.tables.infer import infer
from modelyard.tables.kinds import DTYPES

EVERY_KIND = Schema(
    columns=tuple(Column(name=f"a {kind}, really", kind=kind, nullable=True) for kind in DTYPES)
)


def numbers(start: int, rows: int = 3) -> pl.DataFrame:
    return pl.DataFrame({"n": range(start, start + rows), "__split__": ["train"] * rows})


NUMBERS = Schema(columns=(Column(name="n", kind="integer"),))


def put(path: Path, frame: pl.DataFrame, schema: Schema = NUMBERS) -> int:
    return write(path, frame, schema, digest=digest(frame, schema))


def bits(frame: pl.DataFrame) -> list[list[object]]:
    """Values with floats by their bits, so that -0.0, NaN and null stay apart."""
    return [
        [v.hex() if isinstance(v, float) else v for v in column.to_list()] for column in frame.get_columns()
    ]


values = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(),
    st.none() | st.booleans(),
    st.none() | st.text('a\x00\n\r"é😀', max_size=5),
    st.none() | st.dates(),
    st.none() | st.datetimes().map(lambda t: t.replace(tzinfo=dt.UTC)),
)


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(values, max_size=6))
def test_every_kind_comes_back_bit_for_bit(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lake") / "t"
    names = [c.name for c in EVERY_KIND.columns]
    frame = pl.DataFrame(rows, schema=dict(zip(names, DTYPES.values(), strict=True)), orient="row")
    again = read(path, put(path, frame, EVERY_KIND), EVERY_KIND)
    assert again.schema == frame.schema
    assert bits(again) == bits(frame)


@pytest.mark.parametrize("name", ["two words", "größe", "it's"])
def test_folders_may_have_any_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name / "t"
    assert read(path, put(path, numbers(0)), NUMBERS)["n"].to_list() == [0, 1, 2]


def test_other_storage_types_of_a_kind_come_back_as_its_values(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y", None], dtype=pl.Enum(["x", "y"])),
            "unsigned": pl.Series([2**63 - 1, None, 0], dtype=pl.UInt64),
            "byte": pl.Series([255, None, 0], dtype=pl.UInt8),
            "single": pl.Series([0.1, None, -0.0], dtype=pl.Float32),
            "nothing": pl.Series([None] * 3, dtype=pl.Null),
            "naive": pl.Series([dt.datetime(2026, 1, 1, 12), None, None], dtype=pl.Datetime("ns")),
            "vienna": pl.Series([dt.datetime(2026, 1, 1, 12), None, None])
            .dt.replace_time_zone("Europe/Vienna")
            .cast(pl.Datetime("ms", "Europe/Vienna")),
        }
    )
    schema = infer(frame, target=None, key=())
    again = read(tmp_path / "t", put(tmp_path / "t", frame, schema), schema)
    assert again["category"].to_list() == ["a", None, "b"]
    assert again["enum"].to_list() == ["x", "y", None]
    assert again["unsigned"].to_list() == [2**63 - 1, None, 0]
    assert again["byte"].to_list() == [255, None, 0]
    assert bits(again.select("single")) == bits(frame.select(pl.col("single").cast(pl.Float64)))
    assert again["nothing"].to_list() == [None] * 3
    assert again["naive"][0] == dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    assert again["vienna"][0] == dt.datetime(2026, 1, 1, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("x", [2**64 - 1], dtype=pl.UInt64),
        pl.Series("x", [dt.datetime(2026, 1, 1)]).cast(pl.Datetime("ns")) + pl.duration(nanoseconds=1),
    ],
)
def test_what_would_lose_digits_is_refused_by_name(series: pl.Series | pl.Expr, tmp_path: Path) -> None:
    frame = pl.select(series).rename(lambda _: "x")
    with pytest.raises(DataRefused, match="Column 'x'"):
        write(tmp_path / "t", frame, infer(frame, target=None, key=()), digest="d")
    assert not (tmp_path / "t").exists()


def test_old_versions_stay_readable_after_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "t"
    written = [put(path, numbers(n)) for n in range(25)]
    assert written == list(range(25))
    DeltaTable(path).create_checkpoint()
    assert list((path / "_delta_log").glob("*.checkpoint.parquet"))
    for version in written:
        assert read(path, version, NUMBERS)["n"].to_list() == [version, version + 1, version + 2]


def test_the_log_is_kept_though_its_files_look_old(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for n in range(9):
        put(path, numbers(n))
    long_ago = dt.datetime(2020, 1, 1).timestamp()
    for file in (path / "_delta_log").iterdir():
        os.utime(file, (long_ago, long_ago))
    for n in range(9, 22):
        put(path, numbers(n))
    assert len(list((path / "_delta_log").glob("*.json"))) == 22
    assert read(path, 0, NUMBERS)["n"].to_list() == [0, 1, 2]
    assert DeltaTable(path).metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def test_columns_may_change_between_versions(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    texts = Schema(columns=(Column(name="n", kind="string"), Column(name="m", kind="boolean")))
    other = pl.DataFrame({"n": ["a"], "m": [True]})
    assert put(path, other, texts) == 1
    assert read(path, 1, texts).equals(other)
    assert read(path, 0, NUMBERS).equals(numbers(0))


def test_the_same_digest_is_adopted_and_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert [put(path, numbers(n)) for n in (0, 1, 0, 1)] == [0, 1, 0, 1]
    assert DeltaTable(path).version() == 1


def test_a_damaged_orphan_is_mended_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    (part,) = path.glob("*.parquet")
    for damage in (part.read_bytes()[:-9], b""):
        part.write_bytes(damage)
        assert read(path, put(path, numbers(0)), NUMBERS).equals(numbers(0))
    part.unlink()
    assert read(path, put(path, numbers(0)), NUMBERS).equals(numbers(0))


def test_the_same_rows_under_two_digests_are_two_versions(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert [write(path, numbers(0), NUMBERS, digest=d * 64) for d in "abab"] == [0, 1, 0, 1]
    assert read(path, 0, NUMBERS).equals(read(path, 1, NUMBERS))


def python(code: str, path: Path) -> subprocess.Popen[bytes]:
    start = "import os, sys; sys.path.insert(0, sys.argv[1]); from test_delta import *; path = Path(sys.argv[2])\n"
    return subprocess.Popen([sys.executable, "-c", start + code, str(Path(__file__).parent), str(path)])


def test_a_killed_writer_leaves_an_orphan_that_the_rerun_adopts(tmp_path: Path) -> None:
    path = tmp_path / "t"
    killed = python("put(path, numbers(3)); os.kill(os.getpid(), 9)", path)
    assert killed.wait(60) == -9
    assert put(path, numbers(3)) == 0
    assert DeltaTable(path).version() == 0


def together(path: Path, me: int, count: int) -> None:
    """Wait until so many processes are here."""
    (path.parent / f"{path.name}-{me}").touch()
    end = time.monotonic() + 60
    while len(list(path.parent.glob(f"{path.name}-*"))) < count:
        assert time.monotonic() < end


WRITER = """
for table in range(6):
    together(path / str(table), {me}, 3)
    for n in range({me}, 90, 30):
        version = put(path / str(table), numbers(n))
        assert read(path / str(table), version, NUMBERS).equals(numbers(n)), (table, version, n)
"""


def test_several_processes_make_and_write_one_table(tmp_path: Path) -> None:
    writers = [python(WRITER.format(me=me), tmp_path) for me in range(3)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    for path in (tmp_path / str(table) for table in range(6)):
        versions = range(DeltaTable(path).version() + 1)
        assert [len(names(path, version)) for version in versions] == [1] * 9
        assert {read(path, v, NUMBERS)["n"][0] for v in versions} == {0, 1, 2, 30, 31, 32, 60, 61, 62}


def test_a_version_that_another_writer_s_files_are_in_is_not_taken_for_ours(tmp_path: Path) -> None:
    """What the library makes of a table that two create at once, on machines that share no lock."""
    path = tmp_path / "t"
    put(path, numbers(0))
    for part in in_parts(tmp_path / "drafts", [numbers(5)]):
        add = AddAction(f"{'d' * 16}-{part.sha256}.parquet", part.path.stat().st_size, {}, 0, True, "{}")
        shutil.copy(part.path, path / add.path)
        DeltaTable(path).create_write_transaction(
            [add],
            "append",
            DeltaTable(path).schema(),
            commit_properties=CommitProperties(custom_metadata={DIGEST: "d" * 64}),
        )
    assert len(names(path, 1)) == 2
    found = write(path, numbers(5), NUMBERS, digest="d" * 64)
    assert read(path, found, NUMBERS).equals(numbers(5))


def test_order_is_kept_over_many_row_groups(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": pl.int_range(1_300_000, eager=True).reverse()})
    assert read(tmp_path / "t", put(tmp_path / "t", frame), NUMBERS).equals(frame)


def in_parts(folder: Path, frames: list[pl.DataFrame]) -> list[Part]:
    folder.mkdir(exist_ok=True)
    parts = []
    for at, frame in enumerate(frames):
        path = folder / f"{at}.parquet"
        frame.write_parquet(path)
        parts.append(Part(path, frame.height, hashlib.sha256(path.read_bytes()).hexdigest()))
    return parts


def test_a_version_of_many_parts_keeps_their_order(tmp_path: Path) -> None:
    frames = [numbers(start) for start in (30, 0, 60, 0)]
    path, whole = tmp_path / "t", pl.concat(frames)
    for _ in range(2):  # the second time it is adopted
        parts = in_parts(tmp_path / "drafts", frames)
        found = adopt(path, parts, NUMBERS, digest="d" * 64, extra=["__split__"])
        assert found == 0
    assert read(path, 0, NUMBERS).equals(whole)
    assert scan(path, 0, NUMBERS).collect().equals(whole)
    assert len(names(path, 0)) == 4
    assert names(path, 0) == tuple(sorted(p.name for p in path.glob("*.parquet")))
    assert put(path, numbers(7)) == 1
    assert read(path, 0, NUMBERS).equals(whole)


def test_a_damaged_part_among_many_is_named_before_it_is_scanned(tmp_path: Path) -> None:
    path = tmp_path / "t"
    adopt(
        path,
        in_parts(tmp_path / "drafts", [numbers(n) for n in range(3)]),
        NUMBERS,
        digest="d" * 64,
        extra=["__split__"],
    )
    part = path / names(path, 0)[1]
    part.write_bytes(part.read_bytes()[:-1])
    for reader in (read, scan):
        with pytest.raises(Tampered, match=part.name):
            reader(path, 0, NUMBERS)


def test_damage_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    (part,) = path.glob("*.parquet")
    whole = part.read_bytes()
    for broken in (b"", b"PAR1", whole[:20], whole[:-4] + b"XXXX", b"\0" * len(whole)):
        part.write_bytes(broken)
        with pytest.raises(Tampered, match=part.name):
            read(path, 0, NUMBERS)
    part.unlink()
    with pytest.raises(Tampered, match=f"{part.name} is gone"):
        read(path, 0, NUMBERS)


def test_a_missing_table_version_or_log_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with pytest.raises(StoreDown, match="no table at"):
        read(path, 0, NUMBERS)
    put(path, numbers(0))
    with pytest.raises(StoreDown, match="Version 7 of the table"):
        read(path, 7, NUMBERS)
    log = path / "_delta_log" / f"{0:020}.json"
    log.write_text("{nonsense")
    with pytest.raises(StoreDown, match="cannot be opened"):
        read(path, 0, NUMBERS)
    with pytest.raises(StoreDown, match="cannot be opened"):
        put(path, numbers(1))


def test_a_column_that_the_version_lacks_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    with pytest.raises(Tampered, match="Column 'm' is not in version 0"):
        read(path, 0, Schema(columns=(Column(name="m", kind="integer"),)))


def test_a_file_where_the_table_should_be(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("not a folder")
    with pytest.raises(StoreDown, match="cannot be written"):
        put(tmp_path / "t", numbers(0))


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small disk"
)
def test_a_full_disk_leaves_the_versions_before(tmp_path: Path) -> None:
    random_numbers = [hash((n, 0.5)) for n in range(200_000)]
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        path = tmp_path / "t"
        put(path, numbers(0))
        with pytest.raises(StoreDown, match="cannot be written"):
            put(path, pl.DataFrame({"n": random_numbers}))
        assert read(path, 0, NUMBERS).equals(numbers(0))
        assert put(path, numbers(1)) == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_other_readers_see_an_ordinary_table(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    put(path, numbers(5))
    assert pl.from_arrow(DeltaTable(path).to_pyarrow_table()).equals(numbers(5))  # type: ignore[union-attr]
    assert not list(path.glob(".*.tmp"))


def test_commits_carry_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "t"
    put(path, numbers(0))
    assert DeltaTable(path).history()[0][DIGEST] == digest(numbers(0), NUMBERS)
