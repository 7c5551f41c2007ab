"""Where a regression errs to one side: what is left over in the cells of each feature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.evaluation.cells import Cells, cut
from modelyard.predictor import Predictor
from modelyard.records.explanation import FeatureResiduals
from modelyard.tables.batch import Batch

_SHOWN = 6


def residuals(
    predictor: Predictor, features: Batch, left: NDArray[np.float64], *, min_rows: int
) -> tuple[FeatureResiduals, ...]:
    """``left`` [n], truth less prediction, by every feature that is not about a person: the six that tell most.

    A cell of fewer than ``min_rows`` rows is left out; a feature with one cell tells nothing.
    """
    found = []
    for column in predictor.schema.features:
        if not column.personal:
            text = column.kind == "string"
            of, names = (
                (features.texts, predictor.layout.texts)
                if text
                else (features.numbers, predictor.layout.numbers)
            )
            cells = cut(column.name, column.kind, of[:, names.index(column.name)])
            if (told := _told(cells, left, min_rows)) is not None:
                found.append(told)
    found.sort(key=lambda one: (-one.strength, one.column))
    return tuple(found[:_SHOWN])


def _told(cells: Cells, left: NDArray[np.float64], min_rows: int) -> FeatureResiduals | None:
    parts: list[tuple[str, NDArray[Any]]] = [
        (label, left[cells.rows(cell)]) for cell, label in enumerate(cells.labels)
    ]
    parts = [(label, rows) for label, rows in parts if len(rows) >= max(2, min_rows)]
    if len(parts) < 2:
        return None
    means = [float(rows.mean()) for _, rows in parts]
    errors = [float(rows.std(ddof=1)) / math.sqrt(len(rows)) for _, rows in parts]
    return FeatureResiduals(
        column=cells.column,
        labels=tuple(label for label, _ in parts),
        rows=tuple(len(rows) for _, rows in parts),
        means=tuple(means),
        lows=tuple(mean - 1.96 * error for mean, error in zip(means, errors, strict=True)),
        highs=tuple(mean + 1.96 * error for mean, error in zip(means, errors, strict=True)),
        strength=max(abs(mean) / error if error else 0.0 for mean, error in zip(means, errors, strict=True)),
    )
