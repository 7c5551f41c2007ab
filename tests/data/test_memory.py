"""A table much larger than the memory that a process may take is ingested all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 80 * 2**20
ROWS, LETTERS = 17_000, 20_000
INGEST = """
import resource, sys
from pathlib import Path
from modelyard.data import prepare
from modelyard.settings import DataSettings

def ingest(source):
    settings = DataSettings(source=source, target="y", key="n")
    root = Path(sys.argv[1])
    return prepare(settings, root, previous=None, scratch=root / "scratch", block=2**20)

ingest("small.csv")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
taken = int(status["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (taken + int(sys.argv[2]),) * 2)
print(ingest("large.csv").rows)
"""


def generate(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        stream.write("n,x,y,text\n")
        for n in range(rows):
            stream.write(f"{n},{n % 97 * 0.5},{n * 7919 % 2},{n}{'abcdefghij' * (LETTERS // 10)}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts what a process writes on Linux only")
def test_a_table_four_times_larger_than_the_memory_left_is_ingested(tmp_path: Path) -> None:
    generate(tmp_path / "small.csv", 200)
    generate(tmp_path / "large.csv", ROWS)
    assert (tmp_path / "large.csv").stat().st_size > 4 * LIMIT
    command = [sys.executable, "-c", INGEST, str(tmp_path), str(LIMIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr[-2000:]) == (str(ROWS), "")


LOADED = """
import os
import modelyard.data
modelyard.data.prepare
print(os.environ.get("_RJEM_MALLOC_CONF", "nothing"))
"""


@pytest.mark.parametrize("said", [None, "dirty_decay_ms:7"])
def test_what_is_said_to_polars_allocator_is_not_left_to_others(said: str | None) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    environ |= {"_RJEM_MALLOC_CONF": said} if said else {}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    assert (said or "nothing") in done.stdout
