"""What a training logged, read from its folder while it runs and when it has ended."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.training.recorder import FACTS, FILES, POINT, POINTS, scalar

_TYPE = np.dtype([("step", "<i8"), ("time", "<f8"), ("value", "<f8"), ("metric", "<u2")])


@dataclass(frozen=True)
class Filed:
    """A file or chart."""

    name: str
    kind: Literal["file", "svg", "vega-lite"]
    path: Path


@dataclass
class Recorded:
    metrics: dict[int, str] = field(default_factory=dict)
    """Names by their number."""
    params: dict[str, bool | int | float | str] = field(default_factory=dict)
    files: dict[str, Filed] = field(default_factory=dict)


def facts(folder: Path) -> Recorded:
    """All but the points; a line that is being written, or that the author's code spoilt, is not there."""
    found = Recorded()
    for line in _lines(folder / FACTS):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            fact = json.loads(line)
            if "metric" in fact:
                found.metrics[int(fact["number"])] = str(fact["metric"])
            elif "param" in fact:
                found.params[str(fact["param"])] = scalar(fact["value"])
            elif fact["kind"] in ("file", "svg", "vega-lite"):
                path = folder / FILES / str(int(fact["place"]))
                found.files[str(fact["file"])] = Filed(str(fact["file"]), fact["kind"], path)
    return found


def points(folder: Path, after: int = 0) -> NDArray[Any]:
    """The points from number ``after`` on, with fields ``step``, ``time``, ``value`` and ``metric``."""
    try:
        with (folder / POINTS).open("rb") as file:
            file.seek(after * POINT.size)
            content = file.read()
    except OSError:
        content = b""
    read = np.frombuffer(content, dtype=_TYPE, count=len(content) // POINT.size)
    empty = np.flatnonzero(read["metric"] == 0)
    return read[: empty[0]] if len(empty) else read


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[: text.rfind("\n") + 1].splitlines()
