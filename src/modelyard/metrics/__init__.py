"""Scores of models with their intervals, computed with NumPy (floor 1)."""

from __future__ import annotations

from modelyard.metrics.bootstrap import intervals, wilson
from modelyard.metrics.corrections import benjamini_hochberg, holm
from modelyard.metrics.groups import among, by_group
from modelyard.metrics.paired import (
    Answered,
    Gap,
    delong,
    differences,
    interval,
    mcnemar,
    p_no_worse,
    p_worse,
)
from modelyard.metrics.quantile import Quantiles, aim
from modelyard.metrics.score import default, higher_is_better, names, require, score, value

__all__ = [
    "Answered",
    "Gap",
    "Quantiles",
    "aim",
    "among",
    "benjamini_hochberg",
    "by_group",
    "default",
    "delong",
    "differences",
    "higher_is_better",
    "holm",
    "interval",
    "intervals",
    "mcnemar",
    "names",
    "p_no_worse",
    "p_worse",
    "require",
    "score",
    "value",
    "wilson",
]
