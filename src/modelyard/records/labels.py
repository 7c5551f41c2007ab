"""How one of several labels was answered on the test rows."""

from __future__ import annotations

import msgspec


class LabelOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Its figures with intervals are the report's metrics, as ``recall_NAME``."""

    label: str
    rows: int
    """Rows in which it holds."""
    answered: int
    """Rows in which the model says so."""
    right: int
    """Of both."""
    threshold: float | None = None
    """It was answered above this probability; None where there are none."""
    best: float | None = None
    """The threshold at which F1 is highest on these very rows, where it looks better than it is."""
    best_f1: float | None = None
