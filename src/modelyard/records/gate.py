"""Rules that a version must meet, and what came of them."""

from __future__ import annotations

from typing import Literal

import msgspec

Burden = Literal["point", "non_inferiority", "inferiority"]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one metric; ``no_worse_than`` names an environment whose live version is compared."""

    metric: str
    min: float | None = None
    max: float | None = None
    no_worse_than: str | None = None
    tolerance: float = 0.0
    test: Burden = "point"
    """What ``no_worse_than`` asks of the difference: the point alone to be within the tolerance, or with
    ``confidence`` that it is shown to be (``non_inferiority``), or not shown not to be (``inferiority``)."""
    confidence: float = 0.95
    slices: tuple[str, ...] = ()
    """Columns in each of whose categories or bins the bounds hold too."""


FairnessMetric = Literal["demographic_parity", "equal_opportunity", "equalized_odds", "predictive_parity"]


class FairnessRule(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the gap between, or the ratio of, the groups of the column ``by``."""

    by: str
    metric: FairnessMetric = "equal_opportunity"
    max_gap: float | None = None
    min_ratio: float | None = None


class GateOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One bound tried: the sentence says the numbers."""

    metric: str
    rule: str
    """``min``, ``max`` or ``no_worse_than``; of fairness ``max_gap`` or ``min_ratio``."""
    passed: bool
    sentence: str
    by: str = ""
    """The column whose slices were judged; empty for all rows together."""
