"""A table larger than the memory that transforming it takes, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

LIMIT = 1300
"""MB; the texts alone are 1,600 MB. What the streaming engine keeps in flight varies by a tenth."""
SETTINGS = """
[project]
name = "large"
[data.large]
sources = { visits = "visits.parquet", labs = "labs.parquet" }
key = "visit"
[data.large.transform]
base = "visits"
where = "visit % 100 <> 7"
deduplicate = "last"
asof = [{ source = "labs", on = "taken", at = "seen", by = "who" }]
"""
SHAPED = """
import resource, sys
from pathlib import Path
import polars as pl
from modelyard.data.shaping.shape import shape
from modelyard.data.staging import stage
from modelyard.settings import read
root = Path(sys.argv[1])
settings = read(root, {}).data["large"]
staged = {name: stage(one, root, root / "staged" / name) for name, one in settings.inputs.items()}
(out,) = shape(staged, settings, root, root / "shaped", tell=lambda _: None, block=2**24)
rows = pl.scan_parquet(out.path).select(pl.len(), pl.col("crp").count().alias("known")).collect().row(0)
print(*rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
EAGER = """
import resource, sys
import polars as pl
frame = pl.read_parquet(sys.argv[1] + "/visits.parquet")
print(frame.height, 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def ran(code: str, folder: Path) -> tuple[int, int, int]:
    """(rows, features known, peak memory in MB) of a program."""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows, known, peak = map(int, done.stdout.split())
    return rows, known, peak


def test_a_table_that_does_not_fit_is_filtered_deduplicated_and_joined(tmp_path: Path) -> None:
    (tmp_path / "modelyard.toml").write_text(SETTINGS)
    rows, step = 1_000_000, 50_000
    writer = None
    for first in range(0, rows, step):
        frame = pl.DataFrame({"visit": range(first, first + step)}).with_columns(
            who=pl.col("visit") % 5000,
            seen=pl.col("visit") * 7919 % 100_003,
            note=pl.format("{} " + "seen and sent home, " * 80, "visit"),
        )
        table = frame.to_arrow()
        writer = writer or pq.ParquetWriter(
            tmp_path / "visits.parquet", table.schema, compression="zstd", use_dictionary=False
        )
        writer.write_table(table, row_group_size=10_000)
    assert writer is not None
    writer.close()
    labs = pl.DataFrame({"who": range(5000)}).with_columns(taken=50_000, crp=pl.col("who") / 2)
    labs.write_parquet(tmp_path / "labs.parquet")

    kept, known, peak = ran(SHAPED, tmp_path)
    assert kept == rows - rows // 100
    visits = pl.DataFrame({"visit": range(rows)}).filter(pl.col("visit") % 100 != 7)
    assert known == visits.filter(pl.col("visit") * 7919 % 100_003 >= 50_000).height
    assert ran(EAGER, tmp_path)[2] > LIMIT, "the table would fit: this test shows nothing"
    assert peak < LIMIT, peak
