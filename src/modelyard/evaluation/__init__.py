"""From a package and the test split to a report (floor 4)."""

from __future__ import annotations

from modelyard.evaluation.compare import beside
from modelyard.evaluation.evaluate import evaluate
from modelyard.evaluation.footprint import footprint
from modelyard.evaluation.publish import publish
from modelyard.evaluation.wanted import Prices, Sliced, Wanted

__all__ = ["Prices", "Sliced", "Wanted", "beside", "evaluate", "footprint", "publish"]
