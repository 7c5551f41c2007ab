"""Walking a scikit-learn model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def parts(model: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Every estimator in ``model``, itself included: steps, transformers, ensembles' members."""
    seen = set() if seen is None else seen
    if id(model) in seen:
        return
    seen.add(id(model))
    if hasattr(model, "get_params") and not isinstance(model, type):
        yield model
        for value in vars(model).values():
            yield from parts(value, seen)
    elif isinstance(model, list | tuple):
        for value in model:
            yield from parts(value, seen)
    elif isinstance(model, dict):
        for value in model.values():
            yield from parts(value, seen)
    elif isinstance(model, np.ndarray) and model.dtype == object:
        for value in model.ravel():
            yield from parts(value, seen)
