"""A figure of a report."""

from __future__ import annotations

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    higher_is_better: bool = True
    aim: float | None = None
    """What it is to be near, where it is better neither above nor below."""
