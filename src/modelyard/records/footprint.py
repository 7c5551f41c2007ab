"""What a package takes to answer, measured in a process that does nothing else."""

from __future__ import annotations

import msgspec

from modelyard.records.package import Form

FIGURES = ("latency_p50_ms", "latency_p99_ms", "memory_mb", "package_mb")
"""What a gate can bound, whatever the model answers; less is better."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one call: the check of its rows and the model's answer, without a network."""

    rows: int
    """In each call."""
    calls: int
    """With fewer than a hundred the 99th per cent is the slowest."""
    p50: float
    p90: float
    p99: float
    slowest: float


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    form: Form
    one: Latency
    """A row a call."""
    many: Latency
    """A hundred rows a call."""
    open_seconds: float
    """Verifying the package and loading the model with its libraries."""
    memory_mb: float
    """The most memory that the process had, interpreter and libraries included, in 10^6 bytes."""
    package_mb: float
    """All files of the package, in 10^6 bytes."""
    machine: str
    """Processor and cores."""
    load: float
    """Processes that wanted a core in the minute before; above the cores the times are of a machine that was busy."""

    def figures(self) -> dict[str, float]:
        """By the names that gates have for them."""
        values = (self.one.p50, self.one.p99, self.memory_mb, self.package_mb)
        return dict(zip(FIGURES, values, strict=True))
