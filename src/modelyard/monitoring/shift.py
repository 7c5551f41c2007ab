"""One column of two tables, as ``diff`` compares them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.monitoring.drift import drift, is_text
from modelyard.monitoring.pvalues import ks
from modelyard.records.profile import ColumnProfile


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """``p`` is None when there was nothing to test; ``effect`` is the PSI less what chance alone adds."""

    statistic: str
    value: float
    p: float | None
    effect: float
    distance: float
    """Kolmogorov-Smirnov's; 0 for labels."""
    change: str
    calm: str


def drifted(reference: ColumnProfile, other: ColumnProfile) -> Drifted:
    """Test one column of ``other``, counted on the reference's edges, without correction for many columns."""
    test = drift("drift", reference, other, min_rows=1)
    a, b = np.array(reference.counts, dtype=np.int64), np.array(other.counts, dtype=np.int64)
    counted = not is_text(reference) and a.any() and b.any()
    return Drifted(
        statistic=test.statistic,
        value=test.value,
        p=test.p,
        effect=test.effect,
        distance=ks(a, b)[0] if counted else 0.0,
        change=test.change,
        calm=test.calm.replace("the window", "the other version").replace("the reference", "this one"),
    )
