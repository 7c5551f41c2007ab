"""How right the answers were, by the outcomes that are known, and whether that is less than it has to be."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from modelyard import metrics
from modelyard.monitoring.betting import stake
from modelyard.monitoring.draft import share
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.hindsight import Hindsight, Part
from modelyard.monitoring.pvalues import correct
from modelyard.monitoring.terms import Judged, Places, terms
from modelyard.records.finding import Finding
from modelyard.records.package import Label, Manifest
from modelyard.records.schema import Schema

RESAMPLES = 200
_OVERALL = 0.5
"""Of alpha, for all rows together; the rest is for slices."""
_BESIDE = {
    "binary": ("accuracy", "log_loss"),
    "multiclass": ("accuracy", "log_loss"),
    "regression": ("mae", "rmse"),
}


def live_quality(evidence: Evidence) -> Iterator[Finding]:
    """Coverage and delay of outcomes, the metrics on them, and what must not be less than its bound."""
    known = evidence.hindsight
    if known is None:
        return
    here = np.flatnonzero(known.rows["at"].is_between(evidence.start, evidence.end, closed="left").to_numpy())
    yield _coverage(evidence, known, here)
    enough = len(here) >= evidence.settings.min_rows
    looked = here if enough else np.arange(len(known.rows))
    if len(looked) < evidence.settings.min_rows:
        return
    when = "in this window" if enough else f"since {_first(known.rows['at']):%Y-%m-%d}"
    yield from _decided(evidence, known, looked, when)
    shown = [m for m in _BESIDE[known.manifest.task] if known.bound is None or m != known.bound.metric]
    if known.bound is None or known.metric != known.bound.metric:
        shown = list(dict.fromkeys([known.metric, *shown]))
    values, ends = measured(known.judged.take(looked), known.manifest)
    for metric in shown:
        if metric in values and math.isfinite(values[metric]):
            yield _shown(known, metric, values[metric], ends[metric], len(looked), when)


def measured(rows: Judged, manifest: Manifest) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Every metric of these rows, with its interval."""
    labels: tuple[Label, ...] = tuple(range(rows.classes))
    given = (manifest.task, rows.truth, rows.prediction, rows.probability, labels)
    values = metrics.score(*given, quantiles=rows.quantiles)
    ends = metrics.intervals(*given, quantiles=rows.quantiles, resamples=RESAMPLES)
    return values, ends


def _coverage(evidence: Evidence, known: Hindsight, here: Places) -> Finding:
    total = evidence.window.rows
    rows = known.rows[here]
    late = (rows["arrived"] - rows["at"]).dt.total_seconds().clip(0)
    delay = ""
    if len(here):
        middle, most = (float(late.quantile(q) or 0.0) for q in (0.5, 0.9))
        delay = f", told after {_span(middle)} in the median, nine of ten within {_span(most)}"
    corrected = int((rows["values"] > 1).sum())
    changed = f"; {corrected} were told otherwise before" if corrected else ""
    low, high = metrics.wilson(len(here), total)
    return _finding(
        known,
        statistic="coverage",
        value=len(here) / total if total else 0.0,
        interval=(low, high),
        rows=total,
        sentence=f"outcomes of {len(here)} of {total} predictions in this window are known "
        f"({share(len(here), total)}){delay}{changed}",
    )


def _decided(evidence: Evidence, known: Hindsight, looked: Places, when: str) -> Iterator[Finding]:
    """The bounds, tried on all that is known since the version first answered: overall first, then by slice."""
    alpha = evidence.settings.alpha
    least = evidence.settings.min_rows
    overall = [Part(name="", rows=np.arange(len(known.judged)), bound=known.bound)] if known.bound else []
    for parts, portion in ((overall, _OVERALL), (known.parts, 1 - _OVERALL)):
        tried = []
        for part in parts:
            found = terms(
                part.bound.metric, part.bound.value, known.judged.take(part.rows), share=known.balance
            )
            if found is not None and len(part.rows) >= least:
                tried.append((part, stake(found.values, found.window)))
        # a slice counts before it has rows enough, so that how many tests there are never changes
        waiting = max(known.slices, len(parts)) if parts is known.parts else len(parts)
        p_values = [s.p for _, s in tried] + [1.0] * (waiting - len(tried))
        for (part, held), p in zip(tried, correct(p_values, "holm"), strict=False):
            p_all = min(1.0, p / portion)
            alert = p_all <= alpha
            rows = np.intersect1d(part.rows, looked, assume_unique=True)
            if not len(rows) or (part.name and not alert and len(rows) < least):
                rows = part.rows
            values, ends = measured(known.judged.take(rows), known.manifest)
            if math.isnan(values[part.bound.metric]) and len(rows) < len(part.rows):
                rows = part.rows  # as the area of a window whose outcomes are all of one class
                values, ends = measured(known.judged.take(rows), known.manifest)
            value = float(np.nan_to_num(values[part.bound.metric], nan=math.nan))
            if math.isnan(value):
                continue
            span = when if len(rows) != len(part.rows) or len(looked) == len(known.judged) else "so far"
            beyond = (part.bound.value - value) * (1 if part.bound.rises else -1)
            since = _first(known.rows["at"].filter(pl.Series(known.judged.window >= held.since)))
            begun = f", most likely since {since:%Y-%m-%d %H:%M}" if alert else ""
            yield _finding(
                known,
                statistic=part.bound.metric,
                value=value,
                interval=ends[part.bound.metric],
                rows=len(rows),
                slice_=part.name,
                p=(held.p, p_all),
                effect=beyond,
                alert=alert,
                sentence=f"{part.bound.metric}{f' where {part.name}' if part.name else ''} is {value:.3g} over {len(rows)} "
                f"outcomes {span}, its {'floor' if part.bound.rises else 'ceiling'} is {part.bound.value:.3g} "
                f"({part.bound.reason}): {_verdict(alert, p_all, len(part.rows))}{begun}",
            )


def _verdict(alert: bool, p: float, rows: int) -> str:
    said = "it is beyond that" if alert else "nothing shows that it is beyond that"
    return f"{said}, by {rows} outcomes and however often it is asked (p = {p:.2g})"


def _shown(
    known: Hindsight,
    metric: str,
    value: float,
    ends: tuple[float, float],
    rows: int,
    when: str,
) -> Finding:
    before = known.figures.get(metric)
    beside = f", {before:.3g} when it was tested" if before is not None else ""
    return _finding(
        known,
        statistic=metric,
        value=value,
        interval=ends,
        rows=rows,
        sentence=f"{metric} is {value:.3g} over {rows} outcomes {when}{beside}",
    )


def _finding(
    known: Hindsight,
    *,
    statistic: str,
    value: float,
    interval: tuple[float, float],
    rows: int,
    sentence: str,
    slice_: str = "",
    p: tuple[float | None, float | None] = (None, None),
    effect: float = 0.0,
    alert: bool = False,
) -> Finding:
    schema: Schema = known.manifest.schema
    low, high = (end if math.isfinite(end) else value for end in interval)
    return Finding(
        kind="live_quality",
        column=schema.target or "",
        statistic=statistic,
        value=value,
        p_value=p[0],
        p_corrected=p[1],
        effect=effect,
        effect_name="beyond",
        reference_rows=known.tested,
        window_rows=rows,
        alert=alert,
        sentence=sentence,
        slice=slice_,
        interval=(min(low, value), max(high, value)),
    )


def _first(times: pl.Series) -> dt.datetime:
    first: dt.datetime = times.sort()[0]
    return first


def _span(seconds: float) -> str:
    """As people say it: ``40 s``, ``12 min``, ``3 h``, ``2 days``."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
