"""What more rows to learn from are worth."""

from __future__ import annotations

import msgspec


class LearningPoint(msgspec.Struct, frozen=True, kw_only=True):
    rows: int
    """Learnt from, the mean over the folds."""
    value: float
    """The mean over the folds that were held out."""
    folds: tuple[float, ...]


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """The model fitted on growing parts of the training rows, measured on folds of them; the test split has no part."""

    metric: str
    higher_is_better: bool
    points: tuple[LearningPoint, ...] = ()
    note: str = ""
    """Why there are fewer."""
