"""Since when a finding is as it is: the change point of its course over earlier windows, with its uncertainty."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard.records.finding import Finding, Since
from modelyard.records.window import Brief, ExaminedWindow

LEAST = 6
"""Windows, this one included, below which no course is to be seen."""
_SHUFFLED = 199
_INSIDE = 4.0
"""How much less likely, as a logarithm, a place may be and still be in the interval. Of steps of one to four deviations in courses
of 40 windows it holds 95 to 99 in 100; half of chi-square's quantile, as a smooth parameter would have, held 78 to 98."""


def since(
    finding: Finding, start: dt.datetime, end: dt.datetime, history: Sequence[ExaminedWindow]
) -> Since | None:
    """The window that the present level began with; None where there is too little history or no step in it.

    One step of the mean in the roots of the effects (which have about the same spread at any size) is sought by least squares
    and held against the largest steps of shuffled courses; places whose likelihood is near the best one's are the
    interval. ``first`` says that nothing was otherwise since the version answers here.
    """
    before = _before(finding, end - start, history)
    starts = [*(moment for moment, _ in before), start]
    values = np.sqrt(np.maximum([*(brief.effect for _, brief in before), finding.effect], 0.0))
    if len(values) < LEAST:
        return None
    gains = _gains(values)
    at = int(gains.argmax())
    random = np.random.default_rng(0)
    larger = sum(_gains(random.permutation(values)).max() >= gains[at] for _ in range(_SHUFFLED))
    p = (int(larger) + 1) / (_SHUFFLED + 1)
    if p > 0.05 or values[at + 1 :].mean() < values[: at + 1].mean():
        always = all(brief.alert for _, brief in before)
        return Since(start=starts[0], low=starts[0], high=starts[0], p=1.0, first=True) if always else None
    rest = ((values - values.mean()) ** 2).sum() - gains
    likelihood = -len(values) / 2 * np.log(np.maximum(rest, 1e-12 + 1e-9 * rest.max()))
    inside = np.flatnonzero(likelihood >= likelihood.max() - _INSIDE)
    return Since(start=starts[at + 1], low=starts[int(inside[0]) + 1], high=starts[int(inside[-1]) + 1], p=p)


def told(found: Since) -> str:
    """As the end of a sentence."""
    if found.first:
        return f"; it has been so in every window since {found.start:%Y-%m-%d %H:%M}"
    begun = f"; since {found.start:%Y-%m-%d %H:%M}"
    return (
        begun
        if found.low == found.high
        else f"{begun} (between {found.low:%m-%d %H:%M} and {found.high:%m-%d %H:%M})"
    )


def _gains(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of the sum of squares each place of a step explains; the step is after place i."""
    n = len(values)
    before = np.arange(1, n)
    sums = values.cumsum()[:-1]
    apart = sums / before - (values.sum() - sums) / (n - before)
    gains: NDArray[np.float64] = before * (n - before) / n * apart**2
    return gains


def _before(
    finding: Finding, length: dt.timedelta, history: Sequence[ExaminedWindow]
) -> list[tuple[dt.datetime, Brief]]:
    """The same finding in windows about as long, the oldest first."""
    key = (finding.kind, finding.column, finding.slice)
    found = [
        (window.start, brief)
        for window in history
        if 0.8 * length <= window.end - window.start <= 1.25 * length
        for brief in window.findings
        if (brief.kind, brief.column, brief.slice) == key
    ]
    return sorted(found, key=lambda each: each[0])
