"""Rows as they are, for judges that counts are too little for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.records.profile import Profile
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
    truth: NDArray[Any] | None = None
    """The target's values, where they are known."""

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
            None if self.truth is None else self.truth[rows],
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


def answers(raw: Raw, profile: Profile) -> dict[str, NDArray[Any]]:
    """The answers column by column as the package's own ``profile`` of them has them: labels as objects, or numbers."""
    if raw.prediction is None:
        return {}
    found: dict[str, NDArray[Any]] = {}
    labels = [column.name for column in profile.columns if column.kind == "boolean"]
    for column in profile.columns:
        if column.kind == "boolean":
            found[column.name] = _texts([label_text(column.name in held) for held in raw.prediction.tolist()])
        elif column.name == PREDICTION:
            values = raw.prediction
            found[column.name] = (
                values if column.kind == "float" else _texts(map(label_text, values.tolist()))
            )
        elif raw.probability is not None:
            name = column.name.removeprefix(f"{PROBABILITY} of ")
            found[column.name] = raw.probability[:, labels.index(name)] if labels else shown(raw.probability)
    return found


def _texts(values: Iterable[str]) -> NDArray[np.object_]:
    texts = list(values)
    made = np.empty(len(texts), dtype=object)
    made[:] = texts
    return made


def _booleans(values: NDArray[np.float64]) -> NDArray[np.object_]:
    texts = np.empty(len(values), dtype=object)
    texts[:] = [None if v != v else "true" if v else "false" for v in values.tolist()]
    return texts
