"""Findings that a bound of the settings decides: how old a model may be, how slow an answer; and answers that differ here."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import bdtr, bdtri

from modelyard.monitoring.evidence import Evidence
from modelyard.records.finding import Finding, FindingKind
from modelyard.settings.spans import span

REPLAYED = 500
"""Rows of a window that are answered again."""
TOLERANCE = 1e-4
"""Difference of a probability, or of a number relative to its size, that no other machine explains."""


def staleness(evidence: Evidence) -> Iterator[Finding]:
    """How long ago the data ended that the version learnt from, at the window's end."""
    if evidence.data_until is None:
        return
    age = (evidence.end - evidence.data_until).total_seconds() / 86400
    bound = evidence.settings.max_age
    limit = None if bound is None else span(bound).total_seconds() / 86400
    said = f"what {evidence.model}@{evidence.version} learnt from ended {age:.3g} days before the window did"
    yield decided(
        evidence,
        "staleness",
        "data_age_days",
        age,
        alert=limit is not None and age > limit,
        effect=(age / limit if limit else 0.0, "of max_age"),
        sentence=said + ("" if limit is None else f"; {limit:.3g} are allowed"),
    )


def slowness(evidence: Evidence) -> Iterator[Finding]:
    """The 99th percentile of what answering took, with its interval, against ``max_latency_ms``."""
    bound = evidence.settings.max_latency_ms
    if bound is None or evidence.rows.is_empty():
        return
    taken = np.sort(evidence.rows["latency"].to_numpy()) * 1e3
    low, high = quantile_interval(len(taken), 0.99)
    value = float(np.quantile(taken, 0.99))
    interval = float(taken[low]), float(taken[high])
    yield decided(
        evidence,
        "latency",
        "p99_ms",
        value,
        alert=interval[0] > bound,
        effect=(value / bound, "of max_latency_ms"),
        sentence=(
            f"answers took {value:.3g} ms at the 99th percentile (surely between {interval[0]:.3g} and "
            f"{interval[1]:.3g}); {bound:g} are allowed"
        ),
        interval=interval,
    )


def quantile_interval(rows: int, share: float, confidence: float = 0.99) -> tuple[int, int]:
    """Places (from 0) of the sorted values between which the quantile lies, whatever their distribution."""
    tail = (1 - confidence) / 2
    low = next((k for k in range(int(rows * share), 0, -1) if bdtr(k, rows, share) <= tail), 0)
    high = next((k for k in range(int(rows * share), rows) if bdtr(k, rows, share) >= 1 - tail), rows - 1)
    return low, high


def schema(evidence: Evidence) -> Iterator[Finding]:
    """Whether the newest data still has the features of the version that answers, in their kinds."""
    if evidence.schema is None or evidence.offered is None:
        return
    now = {column.name: column.kind for column in evidence.offered.features}
    known = {column.name: column.kind for column in evidence.schema.features}
    gone = [f"{name} is gone" for name in known if name not in now]
    other = [f"{n} is {now[n]} and was {kind}" for n, kind in known.items() if now.get(n, kind) != kind]
    new = [f"{name} is new" for name in now if name not in known]
    if not gone + other + new:
        return
    wrong = len(gone) + len(other)
    yield decided(
        evidence,
        "schema",
        "changed_columns",
        float(wrong),
        alert=wrong > 0,
        effect=(wrong / max(len(known), 1), "of the features"),
        sentence=f"in the newest data {', '.join([*gone, *other, *new][:8])}",
    )


def skew(evidence: Evidence) -> Iterator[Finding]:
    """Whether the package gives the same answers here as the service did, on rows of the window.

    What differs is no drift: the service runs something else than what was tested, or other rows were logged than asked about.
    """
    if evidence.replay is None or evidence.rows.is_empty():
        return
    some = evidence.seen().drawn(REPLAYED)
    again = evidence.replay(some.batch)
    if some.prediction is None or again.prediction is None:
        return
    if some.probability is not None and again.probability is not None:
        apart = np.abs(some.probability - again.probability).max(axis=1)
    elif some.prediction.dtype == np.float64:
        size = np.maximum(np.abs(again.prediction), 1.0)
        apart = np.abs(some.prediction - again.prediction) / size
    else:
        told = zip(some.prediction.tolist(), again.prediction.tolist(), strict=True)
        apart = np.array([_label(a) != _label(b) for a, b in told], dtype=np.float64)
    wrong = int((~(apart <= TOLERANCE)).sum())
    upper = float(bdtri(wrong, len(some), 0.05)) if wrong < len(some) else 1.0
    yield decided(
        evidence,
        "skew",
        "differing_share",
        wrong / len(some),
        alert=wrong > 0,
        effect=(float(np.nan_to_num(apart, nan=1.0, posinf=1e300).max()), "largest difference"),
        sentence=(
            f"of {len(some)} rows the package answers {wrong} here otherwise than the service did"
            if wrong
            else f"the package answers {len(some)} rows here as the service did; with 95 % confidence fewer than "
            f"{upper:.2%} of all differ"
        ),
        column="prediction",
        rows=len(some),
        interval=(float(bdtri(wrong - 1, len(some), 0.95)) if wrong else 0.0, upper),
    )


def _label(answer: object) -> object:
    """Of several labels a row the order tells nothing."""
    return sorted(map(str, answer)) if isinstance(answer, list | tuple | set | frozenset) else answer


def decided(
    evidence: Evidence,
    kind: FindingKind,
    statistic: str,
    value: float,
    *,
    alert: bool,
    effect: tuple[float, str],
    sentence: str,
    column: str = "",
    rows: int | None = None,
    slice_: str = "",
    interval: tuple[float, float] | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        column=column,
        statistic=statistic,
        value=value,
        p_value=None,
        p_corrected=None,
        effect=effect[0] if math.isfinite(effect[0]) else 0.0,
        effect_name=effect[1],
        reference_rows=0,
        window_rows=evidence.window.rows if rows is None else rows,
        alert=alert,
        sentence=sentence,
        slice=slice_,
        interval=interval,
    )
