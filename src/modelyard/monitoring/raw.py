"""Rows as they are, for judges that counts are too little for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.records.schema import Kind, Schema
from modelyard.tables.batch import Batch, layout
from modelyard.tables.profile import PREDICTION, PROBABILITY, label_text, shown

MOST = 100_000
"""Rows that judges are given of what a model learnt from; of more, some are drawn."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Features of n rows and the answers to them; ``prediction`` is None where nobody was asked."""

    batch: Batch
    prediction: NDArray[Any] | None = None
    probability: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.batch)

    def drawn(self, most: int, seed: int = 0) -> Raw:
        """At most so many rows, at random, in their order."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))

    def take(self, rows: NDArray[np.intp]) -> Raw:
        return Raw(
            self.batch.take(rows),
            None if self.prediction is None else self.prediction[rows],
            None if self.probability is None else self.probability[rows],
        )


def columns(raw: Raw, schema: Schema) -> dict[str, tuple[Kind, NDArray[Any]]]:
    """Each feature's values: numbers, days and times as float64 with NaN for gaps; labels, and booleans as labels, as
    objects with None for gaps."""
    names = layout(schema)
    found: dict[str, tuple[Kind, NDArray[Any]]] = {}
    for column in schema.features:
        if column.kind == "string":
            found[column.name] = column.kind, raw.batch.texts[:, names.texts.index(column.name)]
        else:
            values = raw.batch.numbers[:, names.numbers.index(column.name)]
            found[column.name] = column.kind, _booleans(values) if column.kind == "boolean" else values
    return found


def answers(raw: Raw) -> dict[str, NDArray[Any]]:
    """The answers as profiles have them: labels as objects or numbers, and the probability that is watched."""
    if raw.prediction is None:
        return {}
    values = raw.prediction
    if values.dtype != np.float64:
        texts = np.empty(len(values), dtype=object)
        texts[:] = [label_text(label) for label in values.tolist()]
        values = texts
    found = {PREDICTION: values}
    if raw.probability is not None:
        found[PROBABILITY] = shown(raw.probability)
    return found


def _booleans(values: NDArray[np.float64]) -> NDArray[np.object_]:
    texts = np.empty(len(values), dtype=object)
    texts[:] = [None if v != v else "true" if v else "false" for v in values.tolist()]
    return texts
