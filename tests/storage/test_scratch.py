"""Scratch folders: gone when the work is, and found when its process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.storage.scratch import OWNER, Scratch, left_over, scratch, size, sweep

WAITS = """
import sys
from pathlib import Path
from modelyard.storage.scratch import Scratch
folder = Scratch("rows-", Path(sys.argv[1]), inherited=sys.argv[2] == "become")
(folder.path / "rows").write_bytes(b"x" * 1000)
if sys.argv[2] == "become":
    import os
    os.execv(sys.executable, [sys.executable, "-c", "print('ready', flush=True); input()"])
print("ready", flush=True)
input()
"""


def test_it_is_gone_with_the_work(tmp_path: Path) -> None:
    with scratch("rows-", tmp_path) as folder:
        (folder / "rows").write_bytes(b"x" * 1000)
        assert left_over(tmp_path, "rows-*") == []
        sweep(folder)
        assert (folder / "rows").exists(), "a living owner's folder was swept"
        assert size(folder) == 1000
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), scratch("rows-", tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    folder = Scratch("rows-", tmp_path)
    folder.close()
    folder.close()


@pytest.mark.parametrize("how", ["stay", "become"])
def test_a_killed_owner_leaves_it_and_a_living_one_keeps_it(tmp_path: Path, how: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, tmp_path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        (folder,) = tmp_path.iterdir()
        assert left_over(tmp_path, "rows-*") == []
        sweep(folder)
        assert (folder / "rows").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert left_over(tmp_path, "rows-*") == [folder]
    assert left_over(tmp_path, "other-*") == []
    sweep(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_scratch_folder_is_nobody_s_to_sweep(tmp_path: Path) -> None:
    for name in ("rows-mine", "rows-linked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years of work")
    (tmp_path / "rows-linked" / OWNER).symlink_to(tmp_path / "rows-mine" / "thesis.txt")
    (tmp_path / "rows-file").write_text("")
    assert left_over(tmp_path, "rows-*") == []
    for folder in tmp_path.iterdir():
        sweep(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows-file", "rows-linked", "rows-mine"]
    assert left_over(tmp_path / "nowhere", "rows-*") == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's folder")
def test_another_user_s_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows-theirs").mkdir()
    (tmp_path / "rows-theirs" / OWNER).touch()
    os.chown(tmp_path / "rows-theirs" / OWNER, 65534, 65534)
    assert left_over(tmp_path, "rows-*") == []
