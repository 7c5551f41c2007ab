import datetime as dt
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from modelyard.data import Prepared, load, prepare, scan, store
from modelyard.errors import StoreDown, Tampered
from modelyard.records.dataset import DatasetVersion
from modelyard.settings import DataSettings


def rows(folder: Path, count: int = 100) -> Prepared:
    numbers = range(count)
    pl.DataFrame({"mean size": [n / 7 for n in numbers], "y": ["ab"[n % 2] for n in numbers]}).write_csv(
        folder / "a.csv"
    )
    return prepare(DataSettings(source="a.csv", target="y"), folder, previous=None)


def version(prepared: Prepared, table: str, number: int, parts: tuple[str, ...] = ()) -> DatasetVersion:
    return DatasetVersion(
        dataset="patients",
        number=1,
        digest=prepared.digest,
        table=table,
        table_version=number,
        parts=parts,
        rows=prepared.rows,
        test_rows=prepared.test_rows,
        schema=prepared.schema,
        profile="",
        split=prepared.split,
        sources=prepared.sources,
        created=dt.datetime.now(dt.UTC),
    )


def test_the_parts_make_the_whole(tmp_path: Path) -> None:
    prepared = rows(tmp_path)
    kept = version(prepared, *store(prepared, tmp_path / "tables", "patients"))
    train, test, whole = (load(kept, tmp_path / "tables", part=p) for p in ("train", "test", "all"))
    assert whole.columns == ["mean size", "y"]
    assert whole.equals(prepared.frame.drop("__split__"))
    for side, rows_of in (("train", train), ("test", test), ("all", whole)):
        assert scan(kept, tmp_path / "tables", part=side).collect().equals(rows_of)  # type: ignore[arg-type]
    assert (train.height, test.height) == (kept.rows - kept.test_rows, kept.test_rows)
    assert pl.concat([train, test]).sort("mean size").equals(whole.sort("mean size"))


def test_old_versions_stay_and_content_is_stored_once(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    small, large = rows(tmp_path, 100), rows(tmp_path, 150)
    places = [store(p, tables, "patients") for p in (small, large, small)]
    assert [p[:2] for p in places] == [("patients", 0), ("patients", 1), ("patients", 0)]
    assert load(version(small, *places[0]), tables, part="all").height == 100
    assert load(version(large, *places[1]), tables, part="all").height == 150


def test_a_version_that_was_changed_is_found(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    prepared = rows(tmp_path)
    kept = version(prepared, *store(prepared, tables, "patients"))
    (part,) = (tables / "patients").glob("*.parquet")
    whole = part.read_bytes()
    for damage in (whole[:-1], whole + b"x", b"PAR1" + bytes(100)):
        part.write_bytes(damage)
        with pytest.raises(Tampered, match=f"{part.name} was changed or damaged"):
            load(kept, tables, part="train")


@pytest.mark.parametrize("change", [pl.col("mean size") + 1e-9, pl.lit("train").alias("__split__")])
def test_a_table_that_was_rewritten_whole_is_found(change: pl.Expr, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    prepared = rows(tmp_path)
    kept = version(prepared, *store(prepared, tables, "patients"))
    (part,) = (tables / "patients").glob("*.parquet")
    (log,) = (tables / "patients" / "_delta_log").glob("*.json")
    pl.read_parquet(part).with_columns(change).write_parquet(part)
    forged = f"{kept.digest[:16]}-{hashlib.sha256(part.read_bytes()).hexdigest()}.parquet"
    log.write_text(log.read_text().replace(part.name, forged))
    part.rename(part.with_name(forged))
    with pytest.raises(Tampered, match="does not hold what patients@1 was made of"):
        load(kept, tables, part="train")


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    prepared = rows(tmp_path)
    kept = version(prepared, *store(prepared, tables, "patients"))
    (part,) = (tables / "patients").glob("*.parquet")
    whole = part.read_bytes()
    for place in range(0, len(whole), 7):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(Tampered, match=part.name):
            load(kept, tables, part="all")


def test_a_table_that_is_gone_is_said(tmp_path: Path) -> None:
    prepared = rows(tmp_path)
    with pytest.raises(StoreDown, match="There is no table at"):
        load(version(prepared, "patients", 0), tmp_path / "tables", part="all")


def test_a_kill_before_the_yard_knows_leaves_an_orphan_that_is_adopted(tmp_path: Path) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from test_shelf import *\n"
        "f = Path(sys.argv[2]); store(rows(f), f / 'tables', 'patients'); os.kill(os.getpid(), 9)"
    )
    given = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    assert subprocess.run(given, check=False).returncode == -9
    prepared = rows(tmp_path)
    place = store(prepared, tmp_path / "tables", "patients")
    assert place[:2] == ("patients", 0)
    assert load(version(prepared, *place), tmp_path / "tables", part="all").height == 100


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_said_and_the_rerun_completes(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(tables)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        small, large = rows(tmp_path), rows(tmp_path, 150_000)
        assert store(small, tables, "patients")[:2] == ("patients", 0)
        with pytest.raises(StoreDown, match="cannot be written"):
            store(large, tables, "patients")
        assert load(version(small, "patients", 0), tables, part="all").height == 100
        subprocess.run(["mount", "-o", "remount,size=8m", str(tables)], check=True)
        assert store(large, tables, "patients")[:2] == ("patients", 1)
    finally:
        subprocess.run(["umount", str(tables)], check=True)
