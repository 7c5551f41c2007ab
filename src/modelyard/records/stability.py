"""How answers hold when rows are a little other than they are."""

from __future__ import annotations

from typing import Literal

import msgspec


class Shake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One disturbance of the test rows."""

    kind: Literal["noise", "missing"]
    level: float
    """Of noise in standard deviations of the column; of missing values the share of cells."""
    columns: int
    """Columns that it touched."""
    loss: float
    """Mean loss, with the loss's 95 % interval of growth."""
    growth: float
    low: float
    high: float
    moved: float
    """Share of rows with another label; of numbers the mean change of the answer, in the loss's unit."""


class Stability(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    loss: str
    base: float
    """The mean loss of the rows as they are."""
    rows: int
    shakes: tuple[Shake, ...] = ()
    note: str = ""
    """Why there are fewer."""
