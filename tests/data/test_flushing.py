from pathlib import Path

import pytest

from modelyard.data.flushing import Flushing
from modelyard.errors import StoreDown

LARGE = 2**20


def test_files_are_there_when_they_were_waited_for(tmp_path: Path) -> None:
    flushing = Flushing()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(LARGE))
        flushing.begin(tmp_path / name, LARGE)
    flushing.wait()
    assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == [LARGE, LARGE]


def test_what_the_disk_refuses_is_said_at_the_end(tmp_path: Path) -> None:
    flushing = Flushing()
    flushing.begin(tmp_path / "gone", LARGE)
    with pytest.raises(StoreDown, match=r"could not be kept in .*make room"):
        flushing.wait()
