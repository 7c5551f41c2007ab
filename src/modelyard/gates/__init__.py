"""Rules that evaluation and promotion share (floor 3)."""

from __future__ import annotations

from modelyard.gates.decide import decide, refuse, require
from modelyard.gates.fairness import fair

__all__ = ["decide", "fair", "refuse", "require"]
