"""Scores of models with their intervals, computed with NumPy (floor 1)."""

from __future__ import annotations

from modelyard.metrics.bootstrap import intervals
from modelyard.metrics.score import default, higher_is_better, names, require, score

__all__ = ["default", "higher_is_better", "intervals", "names", "require", "score"]
