"""Rules that evaluation and promotion share (floor 3)."""

from __future__ import annotations

from modelyard.gates.decide import decide, refuse

__all__ = ["decide", "refuse"]
