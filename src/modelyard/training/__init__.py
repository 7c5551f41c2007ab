"""From a dataset version and a folder of code to a fitted model (floor 4).

Importing it is cheap: NumPy, Polars and the author's libraries arrive when a model is fitted.
"""

from __future__ import annotations

from modelyard.training.author_tests import TestsResult, payloads, run_tests
from modelyard.training.fit import Trained, fit, resolve
from modelyard.training.identity import identify
from modelyard.training.model_code import ModelCode, load
from modelyard.training.requirements import closure
from modelyard.training.task import tell

__all__ = [
    "ModelCode",
    "TestsResult",
    "Trained",
    "closure",
    "fit",
    "identify",
    "load",
    "payloads",
    "resolve",
    "run_tests",
    "tell",
]
