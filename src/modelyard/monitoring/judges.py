"""Who judges a window: each looks for one kind of trouble."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.monitoring.bounds import schema, skew, slowness, staleness
from modelyard.monitoring.domain import domain
from modelyard.monitoring.draft import Draft
from modelyard.monitoring.drift import drift
from modelyard.monitoring.evidence import Evidence, Judge
from modelyard.monitoring.groups import fairness
from modelyard.monitoring.operation import errors, saturation
from modelyard.monitoring.peers import peers
from modelyard.monitoring.quality import quality
from modelyard.monitoring.realised import live_quality
from modelyard.monitoring.repeats import repeats
from modelyard.monitoring.sliced import slices
from modelyard.monitoring.streams import errors_stream, scores_stream
from modelyard.monitoring.texts import texts
from modelyard.monitoring.traffic import freshness, latency, volume
from modelyard.monitoring.unlabelled import estimated_quality


def features(evidence: Evidence) -> Iterator[Draft]:
    """Drift of each column."""
    if evidence.settings.method != "calibrated":
        return
    for reference, window in evidence.columns:
        yield evidence.discreet(drift("drift", reference, window, min_rows=evidence.settings.min_rows))


def answers(evidence: Evidence) -> Iterator[Draft]:
    """Drift of what the model says."""
    if evidence.settings.method != "calibrated":
        return
    for reference, window in evidence.answered:
        yield drift("prediction_drift", reference, window, min_rows=evidence.settings.min_rows)


def faults(evidence: Evidence) -> Iterator[Draft]:
    """Missing values, values out of range and new categories of each column."""
    for reference, window in evidence.columns:
        yield from map(evidence.discreet, quality(reference, window))


JUDGES: tuple[Judge, ...] = (
    features,
    slices,
    answers,
    texts,
    domain,
    peers,
    faults,
    repeats,
    freshness,
    latency,
    slowness,
    skew,
    estimated_quality,
    scores_stream,
)
"""Asked where a window has enough rows."""
ALWAYS: tuple[Judge, ...] = (
    volume,
    errors,
    saturation,
    schema,
    staleness,
    live_quality,
    fairness,
    errors_stream,
)
"""Asked of every window, an empty one too."""
