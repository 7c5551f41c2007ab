"""What only earlier windows can tell: how many predictions are usual, how fresh they are, how long they take."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from scipy.special import stdtr

from modelyard.monitoring.draft import Draft
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.reading import features
from modelyard.records.finding import FindingKind
from modelyard.records.window import ExaminedWindow

LEAST = 8
"""Earlier windows below which nothing is usual."""
TWICE = math.log(2)
"""Smaller changes, as the logarithm of their ratio, are not worth an alert."""
_DAY = dt.timedelta(days=1)


def volume(evidence: Evidence) -> Iterator[Draft]:
    """How many predictions, of all versions, against windows as long at that time of the day or day of the week."""
    if evidence.total is None:
        return
    before = earlier(evidence, "volume")
    spread = 1 / math.sqrt(max(float(np.median(before)), 1.0)) if before else 1.0
    yield _against(evidence, "volume", "", "predictions", float(evidence.total), before, least_spread=spread)


def freshness(evidence: Evidence) -> Iterator[Draft]:
    """How old each column of times is when it is asked about, at the median."""
    rows = evidence.rows
    if evidence.schema is None or rows.is_empty():
        return
    given = features(rows)
    for column in evidence.schema.features:
        if column.kind not in ("date", "datetime") or column.name not in given.columns:
            continue
        ages = (
            rows["at"].dt.replace_time_zone(None) - given[column.name].cast(pl.Datetime("us"))
        ).dt.total_seconds()
        age = ages.median()
        if isinstance(age, float) and age > 0:
            before = earlier(evidence, "freshness", column.name)
            yield _against(evidence, "freshness", column.name, "age_seconds", age, before, least_spread=0.1)


def latency(evidence: Evidence) -> Iterator[Draft]:
    """The 95th percentile of what answering took; only slower is trouble."""
    if evidence.rows.is_empty() or evidence.note:
        return
    slow = evidence.rows["latency"].quantile(0.95)
    if slow is not None and slow > 0:
        before = earlier(evidence, "latency")
        yield _against(
            evidence, "latency", "", "p95_ms", 1e3 * slow, before, least_spread=0.1, slower_only=True
        )


def unlike(value: float, before: Sequence[float], *, least_spread: float) -> tuple[float, float]:
    """The chance of a value as far from its forerunners' median, both sides, and the logarithm of its ratio to that.

    By Student's t on logarithms, with a spread from the median absolute deviation, which strange windows of the past cannot
    widen; it is worth about a third of as many normal values, hence the degrees of freedom. Rates of false alarms
    are measured in ``benchmarks/monitoring/judges.py``.
    """
    logs = np.log1p(np.array(before, dtype=np.float64))
    middle = float(np.median(logs))
    spread = max(1.4826 * float(np.median(np.abs(logs - middle))), least_spread)
    ratio = math.log1p(value) - middle
    t = abs(ratio) / (spread * math.sqrt(1 + 1.5 / len(logs)))
    return min(1.0, 2 * float(stdtr(max(0.37 * (len(logs) - 1), 1.0), -t))), ratio


def _against(
    evidence: Evidence,
    kind: FindingKind,
    column: str,
    statistic: str,
    value: float,
    before: Sequence[float],
    *,
    least_spread: float,
    slower_only: bool = False,
) -> Draft:
    p, ratio = None, 0.0
    usual = float(np.median(before)) if before else math.nan
    if len(before) >= LEAST:
        p, ratio = unlike(value, before, least_spread=least_spread)
        if slower_only:
            p, ratio = (p / 2, ratio) if ratio > 0 else (1.0, 0.0)
    name = column or {"volume": "the number of predictions", "latency": "the time that answers take"}[kind]
    told = f"{name}: {_amount(value, statistic)}"
    compared = f", {_amount(usual, statistic)} in {len(before)} earlier windows" if before else ""
    few = "" if p is not None else f"; {LEAST} earlier windows tell what is usual"
    return Draft(
        kind=kind,
        column=column,
        statistic=statistic,
        value=value,
        p=p,
        effect=abs(ratio),
        reference_rows=len(before),
        window_rows=evidence.window.rows,
        change=f"{told}{compared}",
        calm=f"{told}{compared}{few}",
        effect_name="log ratio",
        least=TWICE,
    )


def earlier(evidence: Evidence, kind: FindingKind, column: str = "", *, slice_: str = "") -> list[float]:
    """What was found in windows as long before, those of the same time of day or day of week where there are enough."""
    length = evidence.end - evidence.start
    found = [
        (window, brief.value)
        for window in evidence.history
        if window.end <= evidence.start and 0.8 * length <= window.end - window.start <= 1.25 * length
        for brief in window.findings
        if (brief.kind, brief.column, brief.slice) == (kind, column, slice_)
    ]
    alike = [value for window, value in found if _same_time(window, evidence.start, length)]
    return alike if len(alike) >= LEAST else [value for _, value in found]


def _same_time(window: ExaminedWindow, start: dt.datetime, length: dt.timedelta) -> bool:
    period = _DAY if length < _DAY else 7 * _DAY
    if length > _DAY:
        return True
    apart = (start - window.start) % period
    return min(apart, period - apart) * 2 <= min(length, period / 12)


def _amount(value: float, statistic: str) -> str:
    if statistic == "age_seconds":
        for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
            if value >= 2 * size:
                return f"{value / size:.3g} {unit} old"
        return f"{value:.3g} seconds old"
    return f"{value:.3g} ms at the 95th percentile" if statistic == "p95_ms" else f"{value:,.0f}"
