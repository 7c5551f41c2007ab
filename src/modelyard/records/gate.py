"""Rules that a version must meet, and what came of them."""

from __future__ import annotations

import msgspec


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one metric; ``no_worse_than`` names an environment whose live version is compared."""

    metric: str
    min: float | None = None
    max: float | None = None
    no_worse_than: str | None = None
    tolerance: float = 0.0


class GateOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One bound tried: the sentence says the numbers."""

    metric: str
    rule: str
    """``min``, ``max`` or ``no_worse_than``."""
    passed: bool
    sentence: str
