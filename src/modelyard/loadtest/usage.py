"""What a service takes while it is under load."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from modelyard.records.load import Load, Loaded

_EVERY = 0.2


@dataclass
class Usage:
    """Seconds of processors by the clock, and the most memory."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    memory_mb: float = 0.0

    def cores(self, begin: float, end: float) -> float | None:
        """Cores used in a span; None when it was not looked at on both sides."""
        if len(self.samples) < 2 or begin < self.samples[0][0] or end > self.samples[-1][0]:
            return None
        return (_at(self.samples, end) - _at(self.samples, begin)) / (end - begin)

    def by_level(self, load: Load, outcome: Loaded) -> list[float | None]:
        """Cores used in each level."""
        begin = outcome.start + load.ramp
        spans = [begin + at * load.seconds for at in range(len(outcome.levels) + 1)]
        return [self.cores(one, other) for one, other in pairwise(spans)]


def _at(samples: Sequence[tuple[float, float]], moment: float) -> float:
    """Between two looks, as if it had been spent evenly."""
    after = max(1, bisect_left(samples, (moment, float("-inf"))))
    (t0, used0), (t1, used1) = samples[after - 1], samples[after]
    return used0 + (used1 - used0) * (moment - t0) / (t1 - t0)


@contextmanager
def watching(seconds: Callable[[], float], memory: Callable[[], float]) -> Iterator[Usage]:
    """Look at a service until the block ends; the figures are complete then."""
    usage, done = Usage(), threading.Event()

    def look() -> None:
        while True:
            usage.samples.append((time.time(), seconds()))
            usage.memory_mb = max(usage.memory_mb, memory())
            if done.wait(_EVERY):
                break
        usage.samples.append((time.time(), seconds()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        done.set()
        thread.join()
