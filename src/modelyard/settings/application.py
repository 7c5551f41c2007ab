"""What an environment asks of a candidate before it takes traffic."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from modelyard.records.tested import TestKind

_PROMISE = r"^(p[0-9]{1,2}(\.[0-9]+)?|max|mean|errors|rate)(<=|>=|=|<|>)[0-9.]+(us|ms|s|%|/s)?$"
Promise = Annotated[str, Meta(pattern=_PROMISE)]


class ApplicationTests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.tests]``: what a candidate must pass as a service before it takes the environment's traffic."""

    kinds: Annotated[tuple[TestKind, ...], Meta(min_length=1)] = (
        "integration",
        "functional",
        "acceptance",
        "robustness",
        "security",
        "performance",
    )
    """Which of the tests; by default all of them. ``performance`` needs ``slo`` or ``memory_mb`` to hold against."""
    slo: tuple[Promise, ...] = ()
    """Promises that a short load test must see kept, such as ``["p99=50ms", "errors=0.1%", "rate=500"]``."""
    users: Annotated[int, Meta(ge=1, le=10_000)] = 8
    """Who ask at once, one request of a golden row at a time."""
    rate: Annotated[float, Meta(gt=0)] | None = None
    """Requests a second that arrive instead, whether or not others were answered; ``users`` are their connections."""
    seconds: Annotated[float, Meta(ge=0.5, le=600)] = 3.0
    """How long."""
    memory_mb: Annotated[float, Meta(gt=0)] | None = None
    """The most that the service's processes may hold after the load, what they share counted once."""

    def __post_init__(self) -> None:
        if (self.slo or self.memory_mb) and "performance" not in self.kinds:
            raise ValueError("'slo' and 'memory_mb' go with the kind 'performance'")
