"""Counts that all workers share: one anonymous mapping, made before they are forked.

Each worker slot writes its own cells, so no lock is needed; a restarted worker counts on where its
predecessor stopped. Whoever is scraped sums over the slots.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modelyard.records.minute import Minute

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency histogram, seconds."""
SERIES = 256
"""Model versions that one service counts apart; a later one takes over the oldest cells."""

_OK, _ROWS, _TURNS, _MARKS, _NANOS, _BUSY, _REFUSED, _OVERLOADED, _FAILED = range(9)
_FIRST = 9
_WAITING = _FIRST + len(BUCKETS) + 1
_TOLD = _WAITING + 1
"""What the last minute's record said of ``_MINUTE``; it outlives the worker that wrote it."""
_MINUTE = (_OK, _REFUSED, _OVERLOADED, _FAILED, _BUSY)
_CELLS = _TOLD + len(_MINUTE)
_CAUSES = {"client": _REFUSED, "overload": _OVERLOADED, "service": _FAILED}
_BOUNDS = tuple(int(b * 1e9) for b in BUCKETS)


class Board:
    """The mapping of all slots and series."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._cells = memoryview(mmap.mmap(-1, max(1, slots) * SERIES * _CELLS * 8)).cast("q")

    def clear(self, series: int) -> None:
        """Start a series anew, before anyone counts on it."""
        for slot in range(self._slots):
            at = (slot * SERIES + series) * _CELLS
            self._cells[at : at + _CELLS] = memoryview(bytes(_CELLS * 8)).cast("q")

    def tally(self, slot: int, series: int) -> Tally:
        at = (slot * SERIES + series) * _CELLS
        return Tally(self._cells[at : at + _CELLS], self._slots, lambda: self.sums(series))

    def sums(self, series: int) -> list[int]:
        parts = (
            self._cells[(s * SERIES + series) * _CELLS : (s * SERIES + series + 1) * _CELLS]
            for s in range(self._slots)
        )
        return [sum(column) for column in zip(*parts, strict=True)]


class Series:
    """Which cells count for which model version."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._places: dict[tuple[str, int], int] = {}

    def of(self, wanted: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
        """All versions and their cells, once the wanted ones have some; the oldest makes room when all are taken."""
        keys = list(wanted)
        for key in keys:
            if key in self._places:
                continue
            if len(self._places) == SERIES:
                oldest = next(k for k in self._places if k not in keys)
                at = self._places.pop(oldest)
                self._board.clear(at)
            else:
                at = len(self._places)
            self._places[key] = at
        return [(model, version, at) for (model, version), at in self._places.items()]


class Counted(NamedTuple):
    """The counts of one series."""

    answered: int
    rows: int
    turns: int
    marks: int
    nanoseconds: int
    busy: int
    refused: int
    overloaded: int
    failed: int

    @property
    def problems(self) -> int:
        return self.refused + self.overloaded + self.failed


class Tally:
    """One worker's cells of one series."""

    __slots__ = ("_cells", "_sums", "_workers")

    def __init__(self, cells: memoryview[int], workers: int, sums: Callable[[], list[int]]) -> None:
        self._cells = cells
        self._workers = workers
        self._sums = sums

    def add(
        self, *, answered: int, rows: int, nanoseconds: int, marks: int = 0, busy: int = 0, waiting: int = 0
    ) -> None:
        """Count one model call; ``nanoseconds`` is what its slowest request waited, ``busy`` what it took itself,
        ``waiting`` the requests that it was for."""
        cells = self._cells
        cells[_OK] += answered
        cells[_BUSY] += busy
        if waiting > cells[_WAITING]:
            cells[_WAITING] = waiting
        cells[_ROWS] += rows
        cells[_MARKS] += marks
        if answered:
            cells[_TURNS] += 1
            cells[_NANOS] += nanoseconds * answered
            cells[_FIRST + bisect_left(_BOUNDS, nanoseconds)] += answered

    def refused(self, status: int, requests: int = 1) -> None:
        """Count requests that were not answered, by whose fault it was."""
        self._cells[_FAILED if status >= 500 else _OVERLOADED if status == 429 else _REFUSED] += requests

    def minute(self, model: str, version: int) -> Minute | None:
        """What this worker counted since ``noted``; None where there was nothing."""
        cells = self._cells
        answered, refused, overloaded, failed, busy = (
            cells[cell] - cells[_TOLD + at] for at, cell in enumerate(_MINUTE)
        )
        if not (answered or refused or overloaded or failed):
            return None
        return Minute(
            model, version, self._workers, answered, refused, overloaded, failed, busy / 1e9, cells[_WAITING]
        )

    def noted(self) -> None:
        """What ``minute`` said is on record."""
        for at, cell in enumerate(_MINUTE):
            self._cells[_TOLD + at] = self._cells[cell]
        self._cells[_WAITING] = 0

    def read(self) -> Counted:
        """The counts of all workers."""
        return Counted(*self._sums()[:_FIRST])


def exposition(board: Board, series: list[tuple[str, int, int]]) -> bytes:
    """Prometheus text for (model, version, series) triples."""
    lines: list[str] = []
    sums = [(f'model="{_escape(m)}",version="{v}"', board.sums(at)) for m, v, at in series]
    for cell, name, text in (
        (_OK, "model_infer_request_success_total", "Requests that were answered."),
        (_ROWS, "model_infer_rows_total", "Rows that were predicted."),
        (_TURNS, "model_infer_executions_total", "Model calls; rows per call is the mean batch."),
        (_MARKS, "model_infer_marked_values_total", "Accepted values outside what training data showed."),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
        lines += [f"{name}{{{labels}}} {cells[cell]}" for labels, cells in sums]
    name = "model_infer_request_failure_total"
    lines += [f"# HELP {name} Requests that were refused or failed.", f"# TYPE {name} counter"]
    lines += [f"{name}{{{labels}}} {sum(cells[c] for c in _CAUSES.values())}" for labels, cells in sums]
    name = "model_infer_request_problems_total"
    lines += [f"# HELP {name} The same by whose fault it was.", f"# TYPE {name} counter"]
    lines += [
        f'{name}{{{labels},cause="{cause}"}} {cells[cell]}'
        for labels, cells in sums
        for cause, cell in _CAUSES.items()
    ]
    name = "model_infer_busy_seconds_total"
    lines += [f"# HELP {name} Seconds that workers spent on model calls.", f"# TYPE {name} counter"]
    lines += [f"{name}{{{labels}}} {cells[_BUSY] / 1e9!r}" for labels, cells in sums]
    name = "model_infer_request_duration"
    lines += [f"# HELP {name} Seconds from a request's reading to its reply.", f"# TYPE {name} histogram"]
    for labels, cells in sums:
        total = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), cells[_FIRST:_WAITING], strict=True):
            total += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
        lines += [f"{name}_sum{{{labels}}} {cells[_NANOS] / 1e9!r}", f"{name}_count{{{labels}}} {total}"]
    return ("\n".join(lines) + "\n").encode()


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
