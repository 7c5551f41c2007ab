"""What a package takes to answer, in words and formatted figures."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.records.footprint import Footprint, Latency


@dataclass(frozen=True)
class LatencyRow:
    what: str
    p50: str
    p90: str
    p99: str
    slowest: str
    calls: str


@dataclass(frozen=True)
class FootprintView:
    summary: str
    rows: tuple[LatencyRow, ...]
    note: str


def taken(found: Footprint) -> FootprintView:
    """Both latencies, memory and size, with the machine that they were measured on."""
    form = "compiled (ONNX)" if found.form == "onnx" else "native"
    summary = (
        f"The package, {found.package_mb:.2g}\u202fMB and served {form}, is opened in {found.open_seconds:.2g}\u202fs and answers in a "
        f"process of {found.memory_mb:.0f}\u202fMB, interpreter and libraries included."
    )
    note = (
        f"Measured on {found.machine}, in one process and one call after the other, the schema check included and the network "
        f"not; {found.load:.1f} processes wanted a core meanwhile. Other machines have other times."
    )
    return FootprintView(summary, (_row(found.one), _row(found.many)), note)


def _row(found: Latency) -> LatencyRow:
    what = "1 row" if found.rows == 1 else f"{found.rows} rows"
    p50, p90, p99, slowest = map(_milliseconds, (found.p50, found.p90, found.p99, found.slowest))
    return LatencyRow(what, p50, p90, p99, slowest, f"{found.calls:,}")


def _milliseconds(value: float) -> str:
    return f"{value:.3g}\u202fms" if value < 1000 else f"{value / 1000:.3g}\u202fs"
