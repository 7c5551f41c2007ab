"""A service under load (floor 4): users or arrivals on a schedule, latencies from when a request was due.

``python -m modelyard.loadtest PLAN`` is one process that asks; ``drive`` runs several and adds up what they saw.
"""

from modelyard.loadtest.capacity import capacity
from modelyard.loadtest.drive import drive
from modelyard.loadtest.usage import watching
from modelyard.loadtest.verdict import estimate, figures, judge, parse, spread

__all__ = ["capacity", "drive", "estimate", "figures", "judge", "parse", "spread", "watching"]
