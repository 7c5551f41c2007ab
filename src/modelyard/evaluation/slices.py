"""Metrics on the rows of each cell of a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.evaluation.cells import Cells
from modelyard.metrics import Answered
from modelyard.records.metric import Metric
from modelyard.records.package import Label, Task
from modelyard.records.slices import Slice

RESAMPLES = 200
"""An interval of a slice is read to a digit or two."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The rows that slices look at (places among all test rows) and the columns that cut them."""

    rows: NDArray[np.intp]
    cells: tuple[Cells, ...]
    min_rows: int


def sliced(
    task: Task, truth: NDArray[Any], answers: Answered, classes: Sequence[Label], part: Part, *, seed: int
) -> tuple[Slice, ...]:
    """One slice for each cell of each column, in their order; ``truth`` and ``answers`` are of all test rows."""
    truth, answers = truth[part.rows], answers.take(part.rows)
    found = []
    for column in part.cells:
        for cell, label in enumerate(column.labels):
            rows = column.rows(cell)
            measured: tuple[Metric, ...] = ()
            if len(rows) >= part.min_rows:
                measured = measures(task, truth[rows], answers.take(rows), classes, seed=seed)
            found.append(Slice(column=column.column, label=label, rows=len(rows), metrics=measured))
    return tuple(found)


def measures(
    task: Task,
    truth: NDArray[Any],
    answers: Answered,
    classes: Sequence[Label],
    *,
    seed: int,
    resamples: int | None = RESAMPLES,
) -> tuple[Metric, ...]:
    """Every metric that these rows define, with its interval."""
    arguments = (task, truth, answers.prediction, answers.probability, classes)
    quantiles = answers.quantiles
    values = metrics.score(*arguments, quantiles=quantiles)
    ends = metrics.intervals(*arguments, quantiles=quantiles, seed=seed, resamples=resamples)
    aims = {name: metrics.aim(name, quantiles.levels if quantiles else ()) for name in values}
    return tuple(
        metric(name, value, ends[name], aims[name]) for name, value in values.items() if math.isfinite(value)
    )


def metric(name: str, value: float, ends: tuple[float, float], aim: float | None = None) -> Metric:
    """A figure with its interval, which is made to hold it: resampling overstates the calibration error."""
    low, high = (end if math.isfinite(end) else value for end in ends)
    return Metric(
        name=name,
        value=value,
        low=min(low, value),
        high=max(high, value),
        higher_is_better=metrics.higher_is_better(name),
        aim=aim,
    )


def sample(rows: int, most: int, seed: int) -> NDArray[np.intp]:
    """So many rows drawn at random, in order; all where there are no more."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
