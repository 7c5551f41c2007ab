"""The lock between processes and threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from modelyard.storage.filelock import held


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with held(tmp_path / "lock", wait=30):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_the_wait_is_bounded_and_who_gave_up_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held(lock, wait=0):
        for _ in range(3):
            with pytest.raises(TimeoutError), held(lock, wait=0.05):
                pass
    with held(lock, wait=5):
        pass


def test_an_error_inside_frees_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "lock", wait=0):
        raise KeyError
    with held(tmp_path / "lock", wait=0):
        pass


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from modelyard.storage.filelock import held\n"
        "with held(Path(sys.argv[1]), wait=0):\n print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    killer = threading.Timer(0.2, holder.kill)
    killer.start()
    with held(tmp_path / "lock", wait=30):
        assert holder.wait(5) == -9
    holder.stdout.close()


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), held(tmp_path / "none" / "lock", wait=0):
        pass
