"""Answers that are lists of the labels that hold, and the same as a column of yes and no for each (NumPy)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lists(holds: NDArray[np.bool_], labels: Sequence[object]) -> NDArray[Any]:
    """[n] lists, in the order of ``labels``, of a matrix [n, k]."""
    found = np.empty(len(holds), dtype=object)
    for at, row in enumerate(holds.tolist()):
        found[at] = [name for name, yes in zip(labels, row, strict=True) if yes]
    return found


def columns(prediction: Iterable[Any], labels: Sequence[object]) -> dict[str, list[bool]]:
    """``prediction_LABEL`` of each label, as tables have it."""
    held = [frozenset(one) for one in prediction]
    return {f"prediction_{label}": [label in one for one in held] for label in labels}
