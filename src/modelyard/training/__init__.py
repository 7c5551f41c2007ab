"""From a dataset version and a folder of code to a fitted model (floor 4).

Importing it is cheap: NumPy, Polars and the author's libraries arrive when a model is fitted.
"""

from __future__ import annotations

from modelyard.training.author_tests import TestsResult, payloads, run_tests
from modelyard.training.engine import Trains, enduring
from modelyard.training.identity import contents, identify
from modelyard.training.imports import shared_code
from modelyard.training.limits import Limits
from modelyard.training.processes import gone, myself
from modelyard.training.requirements import closure
from modelyard.training.task import tell
from modelyard.training.worker import LOG, RESOURCES, Worker, halt

__all__ = [
    "LOG",
    "RESOURCES",
    "Limits",
    "TestsResult",
    "Trains",
    "Worker",
    "closure",
    "contents",
    "enduring",
    "gone",
    "halt",
    "identify",
    "myself",
    "payloads",
    "run_tests",
    "shared_code",
    "tell",
]
