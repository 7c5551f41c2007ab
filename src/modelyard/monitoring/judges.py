"""Who judges a window: each looks for one kind of trouble."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.monitoring.draft import Draft
from modelyard.monitoring.drift import drift
from modelyard.monitoring.evidence import Evidence, Judge
from modelyard.monitoring.quality import quality


def features(evidence: Evidence) -> Iterator[Draft]:
    """Drift of each column."""
    for reference, window in evidence.columns:
        yield drift("drift", reference, window, min_rows=evidence.settings.min_rows)


def answers(evidence: Evidence) -> Iterator[Draft]:
    """Drift of what the model says."""
    for reference, window in evidence.answered:
        yield drift("prediction_drift", reference, window, min_rows=evidence.settings.min_rows)


def faults(evidence: Evidence) -> Iterator[Draft]:
    """Missing values, values out of range and new categories of each column."""
    for reference, window in evidence.columns:
        yield from quality(reference, window)


JUDGES: tuple[Judge, ...] = (features, answers, faults)
"""Asked where a window has enough rows."""
ALWAYS: tuple[Judge, ...] = ()
"""Asked of every window, an empty one too."""
