"""What monitoring found in a window."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

FindingKind = Literal["drift", "prediction_drift", "new_categories", "missing", "out_of_range"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one column; ``alert`` is decided by the corrected p-value and the effect's floor."""

    kind: FindingKind
    column: str
    statistic: str
    value: float
    p_value: float | None
    p_corrected: float | None
    effect: float
    """Effect size, in the unit that ``effect_name`` says."""
    effect_name: str
    reference_rows: int
    window_rows: int
    alert: bool
    sentence: str


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """All findings over one span of logged predictions of one released model."""

    environment: str
    model: str
    version: int
    start: dt.datetime
    end: dt.datetime
    rows: int
    alpha: float
    correction: str
    findings: tuple[Finding, ...]
    note: str = ""

    @property
    def alerts(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.alert)
