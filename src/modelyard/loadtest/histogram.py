"""Latencies counted in buckets of equal relative width, so that histograms of processes add up.

As in an HdrHistogram: a bucket is a power of two cut into 64, so that a value is told within 1.6 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_BITS = 6
_CUT = 1 << _BITS


def bucket(nanoseconds: int) -> int:
    """The bucket of a duration; negative ones count as 0."""
    if nanoseconds < _CUT:
        return max(0, nanoseconds)
    shift = nanoseconds.bit_length() - _BITS - 1
    return (shift << _BITS) + (nanoseconds >> shift)


def upper(at: int) -> int:
    """The largest duration of a bucket, nanoseconds."""
    if at < _CUT:
        return at
    shift = (at >> _BITS) - 1
    return ((at - (shift << _BITS) + 1) << shift) - 1


def total(counts: Mapping[int, int]) -> int:
    return sum(counts.values())


def added(several: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The sum of histograms."""
    found: dict[int, int] = {}
    for counts in several:
        for at, count in counts.items():
            found[at] = found.get(at, 0) + count
    return found


def percentile(counts: Mapping[int, int], share: float, *, among: int | None = None) -> float | None:
    """Seconds within which that share of the requests was answered; None when fewer were.

    ``among`` counts those too that never were answered: they are slower than any that was.
    """
    every = total(counts) if among is None else among
    need = max(1, -int(-share * every // 1))  # the ceiling
    seen = 0
    for at in sorted(counts):
        seen += counts[at]
        if seen >= need:
            return upper(at) / 1e9
    return None


def mean(counts: Mapping[int, int]) -> float | None:
    """Seconds, to within a bucket."""
    every = total(counts)
    return sum(upper(at) * count for at, count in counts.items()) / every / 1e9 if every else None
