"""What a model's answers rest on, and what simpler answers are worth."""

from __future__ import annotations

import msgspec

from modelyard.records.comparison import PairedMetric


class FeatureImportance(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the mean loss grows when the column's values are shuffled, with its 95 % interval."""

    column: str
    increase: float
    low: float
    high: float


class Dependence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The mean answer when every row had this value of the column."""

    column: str
    answers: tuple[float, ...]
    """Probabilities of the positive class (or shares of such answers), or numbers."""
    values: tuple[float, ...] = ()
    """Of numbers, days and times, rising."""
    labels: tuple[str, ...] = ()
    """Of texts and booleans."""


class Importance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Features, the most important first."""

    loss: str
    base: float
    """The mean loss of the rows as they are."""
    rows: int
    repeats: int
    features: tuple[FeatureImportance, ...] = ()
    dependence: tuple[Dependence, ...] = ()
    note: str = ""
    """Why there are none."""


class FeatureResiduals(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of truth less prediction in each cell of a feature, with its 95 % interval."""

    column: str
    labels: tuple[str, ...]
    rows: tuple[int, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    strength: float
    """The largest mean in its own standard errors."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something simpler on the same rows; ``champion`` in its metrics is the simpler one's figure."""

    name: str
    """``prior``, ``mean``, ``quantiles``, ``logistic``, ``ridge`` or ``ridge_quantiles``."""
    rows: int
    """Training rows that it learned from."""
    metrics: tuple[PairedMetric, ...]
