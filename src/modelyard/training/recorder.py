"""Where a training's ``my.log_...`` go: files in its folder, read while it runs (standard library only)."""

from __future__ import annotations

import contextlib
import io
import json
import math
import mmap
import os
import shutil
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelyard import authoring

POINTS, FACTS, FILES = "points.bin", "facts.jsonl", "files"
POINT = struct.Struct("<qddH")
"""Step, seconds since 1970, value, and the number of its metric: last, since 0 says that no point is there."""
MOST_POINTS = 5_000_000
MOST_NAMES = 1000
"""Of each of metrics, parameters and files."""
LONGEST = 200
"""Characters of a name."""
_STEP = 1 << 16


class Recorder:
    """Points go into memory that is the file's: a process that is killed loses none, and none costs a system call.

    A full disk, or more than ``MOST_POINTS``, end the recording and not the training.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FILES
        self._folder.mkdir(parents=True, exist_ok=True)
        self._points = (folder / POINTS).open("w+b")
        self._facts = (folder / FACTS).open("a", encoding="utf-8", buffering=1)
        self._names: dict[str, list[int]] = {}
        self._taken: dict[str, set[str]] = {"param": set(), "file": set()}
        self._map: mmap.mmap | None = None
        self._size = self._end = self._files = 0
        self._lock = threading.Lock()
        self._over = False

    def metric(self, name: str, value: float, step: int | None) -> None:
        with self._lock:
            known = self._names.get(name) if type(name) is str else None
            if known is None:
                known = self._named(name)
            if self._end == self._size and not self._grown():
                return
            if step is None:
                step = known[1]
            try:
                POINT.pack_into(self._map, self._end, step, time.time(), value, known[0])  # type: ignore[arg-type]
            except (struct.error, TypeError) as error:
                raise TypeError(
                    f"my.log_metric({name!r}) takes a number and a whole step, got {value!r} and {step!r}"
                ) from error
            known[1] = int(step) + 1
            self._end += POINT.size

    def param(self, name: str, value: object) -> None:
        self._checked("log_param", name)
        self._counted("param", name)
        self._fact(param=name, value=scalar(value))

    def artifact(self, path: str | os.PathLike[str], name: str | None) -> None:
        source = Path(path)
        named = source.name if name is None else name
        self._checked("log_artifact", named)
        if not source.is_dir():
            self._copied(source, named)
            return
        for file in sorted(f for f in source.rglob("*") if f.is_file()):
            self._copied(file, f"{named}/{file.relative_to(source).as_posix()}")

    def chart(self, name: str, chart: object) -> None:
        self._checked("log_chart", name)
        figure: Any = chart if hasattr(chart, "savefig") else getattr(chart, "figure", None)
        if hasattr(chart, "to_dict"):
            chart = chart.to_dict()
        if isinstance(chart, dict):
            content = json.dumps(_plain(chart), allow_nan=False, default=str).encode()
            self._kept(name, "vega-lite", content)
        elif hasattr(figure, "savefig"):
            drawn = io.BytesIO()
            figure.savefig(drawn, format="svg", bbox_inches="tight")
            self._kept(name, "svg", drawn.getvalue())
        else:
            raise TypeError(
                f"my.log_chart({name!r}) takes a Vega-Lite specification, an Altair chart or a Matplotlib figure, "
                f"got a {type(chart).__name__}"
            )

    def close(self) -> None:
        with self._lock:
            self._over = True
            if self._map is not None:
                self._map.close()
            self._map = None
            self._size = self._end
            self._points.truncate(self._end)
            self._points.close()
            self._facts.close()

    def _named(self, name: str) -> list[int]:
        self._checked("log_metric", name)
        if len(self._names) >= MOST_NAMES:
            raise ValueError(f"my.log_metric({name!r}): a run has at most {MOST_NAMES} metrics")
        known = self._names[name] = [len(self._names) + 1, 0]
        self._fact(metric=name, number=known[0])
        return known

    def _checked(self, what: str, name: object) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable():
            raise ValueError(
                f"my.{what} takes a name of 1 to {LONGEST} printable characters, got {name!r:.300}"
            )

    def _counted(self, kind: str, name: str) -> None:
        names = self._taken[kind]
        if name not in names and len(names) >= MOST_NAMES:
            raise ValueError(f"{name!r} is one too many: a run has at most {MOST_NAMES} of these")
        names.add(name)

    def _grown(self) -> bool:
        if self._over:
            return False
        more = min(max(_STEP, self._size // POINT.size), MOST_POINTS - self._size // POINT.size)
        if more <= 0:
            return self._ended(f"only the first {MOST_POINTS:,} points are kept")
        size = self._size + more * POINT.size
        try:
            os.posix_fallocate(
                self._points.fileno(), self._size, size - self._size
            )  # else a full disk is a SIGBUS
            if self._map is None:
                self._map = mmap.mmap(self._points.fileno(), size)
            else:
                self._map.resize(size)
        except OSError as error:
            return self._ended(f"no more points are kept: {error.strerror}")
        self._size = size
        return True

    def _ended(self, why: str) -> bool:
        self._over = True
        print(f"modelyard: {why}", file=sys.stderr)
        return False

    def _copied(self, source: Path, name: str) -> None:
        self._counted("file", name)
        with self._lock:
            target = self._folder / str(self._files)
            self._files += 1
        shutil.copyfile(source, target)
        self._fact(file=name, kind="file", place=target.name)

    def _kept(self, name: str, kind: str, content: bytes) -> None:
        self._counted("file", name)
        with self._lock:
            target = self._folder / str(self._files)
            self._files += 1
        target.write_bytes(content)
        self._fact(file=name, kind=kind, place=target.name)

    def _fact(self, **fact: object) -> None:
        self._facts.write(json.dumps(fact) + "\n")


@contextlib.contextmanager
def recording(folder: Path | None) -> Iterator[None]:
    """Inside, ``my.log_...`` write into ``folder``; a forked child of this process logs nothing."""
    if folder is None:
        yield
        return
    recorder = Recorder(folder)
    authoring.record(recorder)
    try:
        yield
    finally:
        authoring.record(None)
        recorder.close()


os.register_at_fork(after_in_child=lambda: authoring.record(None))


def scalar(value: object) -> bool | int | float | str:
    """The value as a record can hold it: what is no finite number or boolean as its text."""
    if isinstance(value, bool | int | float) and math.isfinite(value) and abs(value) < 2**63:
        return value
    return str(value)[:2000]


def _plain(value: Any) -> Any:
    """As JSON holds it: NaN and infinity are null there, and NumPy's numbers are Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
