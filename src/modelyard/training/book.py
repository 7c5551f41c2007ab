"""A study's finished trials as a file that is only appended to: what is written outlives the process."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from modelyard.errors import StoreDown
from modelyard.records.run import Trial


def read(path: Path) -> list[Trial]:
    """The trials in the order that they ended; a line that a kill cut short is not there."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None
    found: dict[int, Trial] = {}
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        try:
            trial = msgspec.json.decode(line, type=Trial)
        except msgspec.MsgspecError:
            continue
        found.setdefault(trial.number, trial)
    return list(found.values())


class Book:
    """The file, open for more. A trial is one write, so none is there in part but the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials = read(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = b"".join(msgspec.json.encode(trial) + b"\n" for trial in self.trials)
            if path.exists() and path.read_bytes() != whole:
                path.write_bytes(whole)  # without the cut line, which the next would be glued to
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreDown(f"{path} cannot be written: {error.strerror}.") from None

    def add(self, trial: Trial) -> None:
        line = msgspec.json.encode(trial) + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise StoreDown(f"{self.path} cannot be written: {error.strerror}.") from None
        self.trials.append(trial)

    def close(self) -> None:
        os.close(self._file)
