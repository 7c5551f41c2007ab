"""What monitoring found in a window."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

Family = Literal["data_quality", "drift", "live_quality", "estimated_quality", "operation"]
"""What a policy tells apart: broken data is never learned from, a drift alone is no loss of quality."""
FindingKind = Literal[
    "drift",
    "prediction_drift",
    "multivariate_drift",
    "skew",
    "missing",
    "out_of_range",
    "new_categories",
    "schema",
    "duplicates",
    "freshness",
    "volume",
    "live_quality",
    "estimated_quality",
    "fairness",
    "staleness",
    "latency",
    "errors",
    "saturation",
]
_FAMILIES: dict[FindingKind, Family] = {
    "drift": "drift",
    "prediction_drift": "drift",
    "multivariate_drift": "drift",
    "skew": "drift",
    "missing": "data_quality",
    "out_of_range": "data_quality",
    "new_categories": "data_quality",
    "schema": "data_quality",
    "duplicates": "data_quality",
    "freshness": "data_quality",
    "volume": "data_quality",
    "live_quality": "live_quality",
    "estimated_quality": "estimated_quality",
    "fairness": "live_quality",
    "staleness": "operation",
    "latency": "operation",
    "errors": "operation",
    "saturation": "operation",
}


def family(kind: FindingKind) -> Family:
    """Which family a kind of finding belongs to."""
    return _FAMILIES[kind]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a finding: a range or a category of the column, or a column among several."""

    name: str
    reference: float
    """Its share of the reference's rows."""
    window: float
    """Its share of the window's."""
    contribution: float
    """Its part of the effect or of the statistic, 0 to 1; all parts are 1 together."""


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """Since which window a finding is as it is; the step is between ``low`` and ``high`` with 95 % confidence."""

    start: dt.datetime
    low: dt.datetime
    high: dt.datetime
    p: float
    """That a course without a step has one as large."""
    first: bool = False
    """It was never otherwise: serving differs from training, rather than that something changed."""


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
    slice: str = ""
    """The rows that it is about, where not all."""
    interval: tuple[float, float] | None = None
    """Of ``value``, where it is an estimate."""

    reach: float | None = None
    """The smallest shift, in standard deviations of the reference, that would be found in four windows of five."""
    details: tuple[Detail, ...] = ()
    """What the difference is made of."""
    since: Since | None = None

    @property
    def family(self) -> Family:
        return family(self.kind)


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
    package: str = ""
    """Digest of what answered, and of what its reference is."""
    examined: dt.datetime = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    """When this was found."""
    method: str = "calibrated"

    @property
    def alerts(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.alert)
