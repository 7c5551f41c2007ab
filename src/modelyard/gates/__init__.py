"""Rules that evaluation, promotion, canaries and triggers share (floor 3)."""

from __future__ import annotations

from modelyard.gates.canary import Counts, canary
from modelyard.gates.decide import decide, refuse, require
from modelyard.gates.fairness import RATES, WORDS, fair

__all__ = ["RATES", "WORDS", "Counts", "canary", "decide", "fair", "refuse", "require"]
