"""Rows to learn from as files that need only NumPy to be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.tables.batch import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Features, ``target`` [n] (int64, float64, bool or objects), ``folds`` [n] where the table has them."""

    batch: Batch
    target: NDArray[Any]
    folds: Any = None

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, rows: NDArray[np.bool_]) -> Rows:
        """The rows where the mask is true; they are in no folds any more."""
        return Rows(self.batch.take(rows), self.target[rows])


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
