"""What models of several labels give, as one matrix: a column a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError


def matrix(given: Any, model: Any) -> NDArray[Any]:
    """[n, k]: of a list of [n, 2] a label, which some of scikit-learn's estimators give, the chance of a yes."""
    if not isinstance(given, list | tuple) or np.ndim(given[0] if given else 0) != 2:
        return np.asarray(given)
    known = getattr(model, "classes_", None)
    classes = known if isinstance(known, list) and len(known) == len(given) else [None] * len(given)
    return np.column_stack([_yes(np.asarray(one), seen) for one, seen in zip(given, classes, strict=True)])


def each(models: Sequence[Any], rows: Any) -> NDArray[Any]:
    """[n, k] of a list of classifiers, one a label: chances where all tell them, else 0 and 1."""
    if all(hasattr(model, "predict_proba") for model in models):
        return np.column_stack(
            [
                _yes(np.asarray(model.predict_proba(rows)), getattr(model, "classes_", None))
                for model in models
            ]
        )
    return np.column_stack([np.asarray(model.predict(rows)).reshape(-1) for model in models])


def _yes(given: NDArray[Any], seen: Any) -> NDArray[Any]:
    """[n] of [n, c]; a label that was never seen has no chance, and one that always held a certain one."""
    if given.ndim == 1:
        return given
    if seen is None or len(seen) != given.shape[1]:
        if given.shape[1] != 2:
            raise AuthorError(
                f"The model gives {given.shape[1]} probabilities for a label; there are yes and no."
            )
        return np.asarray(given[:, 1])
    at = [place for place, one in enumerate(seen) if one == 1]
    return np.asarray(given[:, at[0]] if at else np.zeros(len(given)))
