"""What a two-class model's probabilities are worth: calibration and the price of decisions."""

from __future__ import annotations

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Murphy's parts of the Brier score over ten equal bins, and Cox's recalibration."""

    reliability: float
    """Mean squared distance of stated probability and observed share; 0 is perfect."""
    resolution: float
    """How far the bins' shares are from the whole's; more is better."""
    uncertainty: float
    """Of the outcome itself; no model changes it."""
    within: float
    """What is left of the Brier score: it varies within a bin."""
    slope: Estimate | None = None
    """1 is right; below, probabilities are too extreme. None where both classes are told apart without fault."""
    intercept: Estimate | None = None
    """In log odds, at slope 1: above 0, probabilities are too low on the whole."""


class Costs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What decisions cost a row on average, as packaged and at the threshold that follows from the costs."""

    false_positive: float
    false_negative: float
    threshold: float
    """From the costs alone; no row was looked at to choose it."""
    packaged: float
    at_threshold: float
    difference: Estimate
    """At the threshold less as packaged."""
    confusion: tuple[tuple[int, ...], ...]
    """At the threshold."""
    thresholds: tuple[float, ...] = ()
    """What if: other thresholds, and what they would have cost on these rows."""
    costs: tuple[float, ...] = ()
