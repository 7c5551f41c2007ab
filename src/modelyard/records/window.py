"""Examined windows, as the history keeps them."""

from __future__ import annotations

import datetime as dt

import msgspec

from modelyard.records.finding import Family, FindingKind, WindowReport, family


class Brief(msgspec.Struct, frozen=True, array_like=True):
    """A finding in short: what charts over time and searches need."""

    kind: FindingKind
    column: str
    slice: str
    value: float
    effect: float
    p: float | None
    """Corrected."""
    alert: bool

    @property
    def family(self) -> Family:
        return family(self.kind)


class ExaminedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one look at the rows that one version answered between ``start`` and ``end``."""

    environment: str
    model: str
    version: int
    package: str
    start: dt.datetime
    end: dt.datetime
    examined: dt.datetime
    rows: int
    judged: bool
    """False where there were too few rows to judge."""
    report: str
    """Digest of the stored ``WindowReport``, which has all numbers."""
    findings: tuple[Brief, ...] = ()

    @property
    def alerts(self) -> tuple[Brief, ...]:
        return tuple(f for f in self.findings if f.alert)


def examined(report: WindowReport, digest: str) -> ExaminedWindow:
    """The history's entry of a report that is stored under ``digest``."""
    return ExaminedWindow(
        environment=report.environment,
        model=report.model,
        version=report.version,
        package=report.package,
        start=report.start,
        end=report.end,
        examined=report.examined,
        rows=report.rows,
        judged=not report.note,
        report=digest,
        findings=tuple(
            Brief(f.kind, f.column, f.slice, f.value, f.effect, f.p_corrected, f.alert)
            for f in report.findings
        ),
    )
