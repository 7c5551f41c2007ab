"""What the system says of processes (Linux)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from modelyard.records.run import Process

_PAGE = os.sysconf("SC_PAGE_SIZE")


def myself() -> Process:
    """The process that this is, for a record."""
    return Process(host=socket.gethostname(), pid=os.getpid(), born=_born(os.getpid()))


def gone(process: Process) -> bool:
    """Whether it has ended; never of a process on another machine, of which nothing is known here."""
    return process.host == socket.gethostname() and _born(process.pid) != process.born


def peak(pid: int) -> int:
    """The largest memory that it had in bytes, 0 when it has ended."""
    status = _read(Path(f"/proc/{pid}/status"))
    found = status.partition("VmHWM:")[2].split()
    return int(found[0]) * 1024 if found else 0


def resident(pid: int) -> int:
    """The memory in bytes that it has and shares with no file or other process, 0 when it has ended."""
    numbers = _read(Path(f"/proc/{pid}/statm")).split()
    return (int(numbers[1]) - int(numbers[2])) * _PAGE if numbers else 0


def family(pid: int) -> list[int]:
    """The process and all below it."""
    below: list[int] = []
    for task in _tasks(pid):
        for child in _read(Path(f"/proc/{pid}/task/{task}/children")).split():
            below += family(int(child))
    return [pid, *below]


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return []


def _born(pid: int) -> int:
    """0 when there is no such process, or one that has ended and is not waited for."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
