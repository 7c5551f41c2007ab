"""Rows to learn from as files that need only NumPy to be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.tables.batch import Batch, to_frame

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import FrameKind
    from modelyard.records.schema import Schema


Framed = Callable[["FrameKind"], tuple[Any, Any]]
"""Features and target as a frame of the kind, which belong to whoever asks."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Features, ``target`` [n] (int64, float64, bool or objects; of several labels [n, k] bool), ``folds`` [n] where the
    table has them."""

    batch: Batch
    target: NDArray[Any]
    folds: Any = None

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, rows: NDArray[np.bool_]) -> Rows:
        """The rows where the mask is true; they are in no folds any more."""
        return Rows(self.batch.take(rows), self.target[rows])


def framed(rows: Rows, schema: Schema, kind: FrameKind) -> tuple[Any, Any]:
    """Features as a service will rebuild them, made anew: an author may change them in place."""
    features, answers, name = to_frame(rows.batch, schema, kind), rows.target.copy(), schema.target or ""
    if answers.ndim == 2:
        return features, _labels(answers.astype(np.int64), schema.labels, kind, features)
    if kind == "numpy":
        return features, answers
    if kind == "polars":
        import polars as pl

        return features, pl.Series(name, answers.tolist() if answers.dtype == object else answers)
    import pandas as pd

    return features, pd.Series(answers, index=features.index, name=name, dtype=answers.dtype)


class Frames:
    """Frames of some rows, each kind built once; a part of them is what ``framed`` would build of that part."""

    def __init__(self, rows: Rows, schema: Schema) -> None:
        self._rows, self._schema = rows, schema
        self._made: dict[FrameKind, tuple[Any, Any]] = {}

    def of(self, part: NDArray[np.bool_]) -> Framed:
        """The rows where the mask is true."""
        at = np.flatnonzero(part)
        return lambda kind: self._part(kind, at)

    def _part(self, kind: FrameKind, at: NDArray[np.intp]) -> tuple[Any, Any]:
        if kind not in self._made:
            self._made[kind] = framed(self._rows, self._schema, kind)
        features, target = self._made[kind]
        if kind == "pandas":
            import pandas as pd

            index = pd.RangeIndex(len(at))
            return features.take(at).set_axis(index), target.take(at).set_axis(index)
        return features[at], target[at]


def _labels(held: NDArray[np.int64], names: tuple[str, ...], kind: FrameKind, features: Any) -> Any:
    """0 and 1, a column a label: what every library takes."""
    if kind == "numpy":
        return held
    if kind == "polars":
        import polars as pl

        return pl.DataFrame(held, schema=list(names))
    import pandas as pd

    return pd.DataFrame(held, columns=list(names), index=features.index)


def write(rows: Rows, folder: Path) -> Path:
    """Write the files into ``folder``, made anew, and return it."""
    folder.mkdir(parents=True)
    np.save(folder / "numbers.npy", rows.batch.numbers)
    columns = [column.tolist() for column in rows.batch.texts.T]
    (folder / "texts.json").write_text(json.dumps(columns), encoding="utf-8")
    if rows.target.dtype == object:
        (folder / "target.json").write_text(json.dumps(rows.target.tolist()), encoding="utf-8")
    else:
        np.save(folder / "target.npy", rows.target)
    if rows.folds is not None:
        np.save(folder / "folds.npy", rows.folds)
    return folder


def read(folder: Path) -> Rows:
    """What ``write`` wrote."""
    numbers = np.load(folder / "numbers.npy", allow_pickle=False)
    texts = np.empty((len(numbers), 0), dtype=object)
    if columns := json.loads((folder / "texts.json").read_text(encoding="utf-8")):
        texts = np.empty((len(numbers), len(columns)), dtype=object)
        for at, column in enumerate(columns):
            texts[:, at] = column
    folds = folder / "folds.npy"
    return Rows(
        Batch(numbers, texts),
        _target(folder),
        np.load(folds, allow_pickle=False) if folds.exists() else None,
    )


def _target(folder: Path) -> NDArray[Any]:
    if (folder / "target.npy").exists():
        values: NDArray[Any] = np.load(folder / "target.npy", allow_pickle=False)
        return values
    return np.array(json.loads((folder / "target.json").read_text(encoding="utf-8")), dtype=object)
