"""From a window of logged predictions to findings (floor 4)."""

from __future__ import annotations

from modelyard.monitoring.collect import collect, features, window
from modelyard.monitoring.examine import examine
from modelyard.monitoring.logged import count_features, count_predictions, of_version, span
from modelyard.monitoring.shift import drifted

__all__ = [
    "collect",
    "count_features",
    "count_predictions",
    "drifted",
    "examine",
    "features",
    "of_version",
    "span",
    "window",
]
