"""A dataset version is a Delta table: other programs read the same rows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from sklearn.datasets import load_breast_cancer

from modelyard.tables.split import SPLIT

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(modelyard: Command, tmp_path: Path) -> Path:
    """Two versions of the breast cancer data, with days, times, booleans and gaps beside its numbers."""
    frame = pl.from_pandas(load_breast_cancer(as_frame=True).frame).with_row_index("patient")
    at = pl.col("patient").cast(pl.Int64)
    frame = frame.with_columns(
        patient=at,
        seen=(at * 3_600_000_123).cast(pl.Datetime("us", "UTC")),
        born=(at * 9 - 3000).cast(pl.Int32).cast(pl.Date),
        sure=pl.when(at % 3 > 0).then(at % 2 == 0),
        note=pl.when(at % 5 > 0).then(pl.lit("Größe ☃ ") + at.cast(pl.String)),
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "modelyard.toml").write_text(
        '[project]\nname = "clinic"\n[data.rows]\nsource = "rows.parquet"\nkey = "patient"\ntarget = "target"\n'
    )
    assert modelyard("-C", tmp_path, "ingest")[0] == 0
    frame.filter(pl.col("patient") != 4).write_parquet(tmp_path / "rows.parquet")
    assert modelyard("-C", tmp_path, "ingest")[0] == 0
    return tmp_path


@pytest.mark.parametrize("number", [1, 2])
def test_deltalake_polars_and_duckdb_see_the_rows_of_a_version(
    modelyard: Command, project: Path, number: int
) -> None:
    version = next(
        v for v in json.loads(modelyard("-C", project, "data", "rows", "--json")[1]) if v["number"] == number
    )
    table = project / ".modelyard" / "artifacts" / "tables" / version["table"]
    delta = DeltaTable(table, version=version["table_version"])
    checked_out = project / "out.parquet"
    assert modelyard("-C", project, "data", "checkout", f"rows@{number}", checked_out, "--split")[0] == 0
    ours = pl.read_parquet(checked_out).sort("patient")
    assert ours.height == version["rows"] == 570 - number

    by_polars = pl.read_delta(str(table), version=version["table_version"])
    assert_frame_equal(by_polars.sort("patient"), ours)

    connection = duckdb.connect()
    connection.register("kept", delta.to_pyarrow_table())
    answered = connection.sql("select * from kept order by patient").to_arrow_table()
    by_duckdb = pl.DataFrame(pl.from_arrow(answered))
    assert_frame_equal(by_duckdb.cast(dict(ours.schema)), ours)
    held_back = connection.execute(f"select count(*) from kept where {SPLIT} = 'test'").fetchone()
    assert held_back == (version["test_rows"],)

    by_pandas = delta.to_pandas().sort_values("patient")
    assert by_pandas["mean radius"].tolist() == ours["mean radius"].to_list()
    assert [None if v is None or v != v else v for v in by_pandas["note"]] == ours["note"].to_list()
    assert by_pandas["born"].astype(str).tolist() == ours["born"].cast(pl.String).to_list()
    assert (by_pandas["seen"].dt.as_unit("us").astype("int64").tolist()) == ours[
        "seen"
    ].to_physical().to_list()


def test_the_page_s_examples_read_the_rows(
    modelyard: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()
    blocks = [b for b in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "spark." not in b]
    assert len(blocks) == 3
    listed = json.loads(modelyard("-C", project, "data", "rows", "--json")[1])
    first = next(v for v in listed if v["number"] == 1)
    assert first["table_version"] == 0
    monkeypatch.chdir(project)
    given: dict[str, Any] = {}
    for block, name in zip(blocks, ("train", "patients", "shares"), strict=True):
        exec(block.replace("tables/patients", "tables/rows"), given)
        assert given[name] is not None
    assert given["train"].height == first["rows"] - first["test_rows"]
    assert dict(given["shares"]) == {"test": first["test_rows"], "train": first["rows"] - first["test_rows"]}
