"""Peers in environments of their own, installed once and kept under the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Of one process and the children it waited for."""

    wall: float
    busy: float
    """Seconds that processors worked, which other work on the machine moves less."""
    memory: float
    """The largest resident memory of one process in MB."""


def environment(*requirements: str) -> Path:
    """The ``bin`` folder of an environment that holds just these."""
    name = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelyard-benchmarks" / name
    done = home / "done"
    if not done.exists():
        print(f"installing {' '.join(requirements)} into {home}", flush=True)
        venv.create(home, clear=True, with_pip=True)
        pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(pip, check=True)
        done.touch()
    return home / "bin"


def run(command: list[str], *, cwd: Path | None = None) -> Cost:
    """What one command costs. Raises ``SystemExit`` when it fails."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=cwd)
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} failed")
    return Cost(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
