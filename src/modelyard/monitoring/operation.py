"""How the service did: requests that failed, were refused or turned away, and how busy its workers were.

By what workers counted minute by minute; the prediction log holds only what was answered.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.special import bdtrc

from modelyard import metrics
from modelyard.monitoring.bounds import decided, quantile_interval
from modelyard.monitoring.draft import Draft, share
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.traffic import LEAST, TWICE, earlier, unlike
from modelyard.records.finding import Finding, FindingKind

_MINUTE = 60.0
_BUSIEST = 0.95
"""Of the minutes in which there was something to do, the share that ``max_busy`` is for."""


def errors(evidence: Evidence) -> Iterator[Draft]:
    """Requests that failed, against ``max_errors``; those refused for what was sent, against earlier windows."""
    sums = _sums(evidence)
    if not sums["requests"]:
        return
    yield _bounded(
        ("errors", "5xx"),
        (sums["failed"], sums["requests"]),
        bound=evidence.settings.max_errors,
        what="requests failed (5xx)",
    )
    yield _refused(evidence, sums["refused"], sums["requests"])


def saturation(evidence: Evidence) -> Iterator[Draft | Finding]:
    """Requests turned away because too many waited, against ``max_overload``, and how busy workers were, against
    ``max_busy``."""
    sums = _sums(evidence)
    if not sums["requests"]:
        return
    yield _bounded(
        ("saturation", "429"),
        (sums["overloaded"], sums["requests"]),
        bound=evidence.settings.max_overload,
        what="requests were turned away, since too many waited (429)",
    )
    yield _busy(evidence)


def _sums(evidence: Evidence) -> dict[str, int]:
    counted = evidence.minutes
    names = ("answered", "refused", "overloaded", "failed")
    sums = {name: int(counted[name].sum()) if counted.height else 0 for name in names}
    return sums | {"requests": sum(sums.values())}


def _bounded(key: tuple[FindingKind, str], found: tuple[int, int], *, bound: float, what: str) -> Draft:
    """A share of requests that must not be more, by an exact binomial test."""
    kind, slice_ = key
    count, total = found
    low, high = metrics.wilson(count, total)
    told = (
        f"{count} of {total} {what}, {share(count, total)} ({share(low, 1)} to {share(high, 1)}); "
        f"{share(bound, 1)} is allowed"
    )
    return Draft(
        kind=kind,
        column="",
        slice=slice_,
        statistic=f"{kind}_share",
        value=count / total,
        p=float(bdtrc(count - 1, total, bound)) if count else 1.0,
        effect=count / total - bound,
        reference_rows=0,
        window_rows=total,
        change=told,
        calm=told,
        effect_name="above what is allowed",
        least=0.0,
        interval=(low, high),
    )


def _refused(evidence: Evidence, count: int, total: int) -> Draft:
    """Held against as many as there would have been by the shares of windows before."""
    shares = earlier(evidence, "errors", slice_="4xx")
    usual = [before * total for before in shares]
    p, ratio = None, 0.0
    if len(usual) >= LEAST:
        spread = 1 / np.sqrt(1 + float(np.median(usual)))
        p, ratio = unlike(float(count), usual, least_spread=spread)
        p, ratio = (p / 2, ratio) if ratio > 0 else (1.0, 0.0)
    told = f"{count} of {total} requests were refused for what they held (4xx), {share(count, total)}"
    before = f", {share(float(np.median(shares)), 1)} in {len(shares)} earlier windows" if shares else ""
    few = "" if p is not None else f"; {LEAST} earlier windows tell what is usual"
    return Draft(
        kind="errors",
        column="",
        slice="4xx",
        statistic="refused_share",
        value=count / total,
        p=p,
        effect=ratio,
        reference_rows=len(shares),
        window_rows=total,
        change=told + before,
        calm=told + before + few,
        effect_name="log ratio",
        least=TWICE,
        interval=metrics.wilson(count, total),
    )


def _busy(evidence: Evidence) -> Finding:
    """The share of their time that workers spent on turns, in the busiest of the minutes that had any."""
    # a record is written when its minute is over
    minute = (pl.col("at") - pl.duration(seconds=1)).dt.truncate("1m").alias("minute")
    by_minute = evidence.minutes.group_by(minute).agg(
        (pl.col("busy").sum() / (pl.col("workers").max() * _MINUTE)).clip(0.0, 1.0).alias("share")
    )
    shares = np.sort(by_minute["share"].to_numpy())
    low, high = quantile_interval(len(shares), _BUSIEST)
    value = float(np.quantile(shares, _BUSIEST))
    bound = evidence.settings.max_busy
    waiting = evidence.minutes["waiting"].max()
    most = f"; at most {waiting} requests waited for a turn" if isinstance(waiting, int) else ""
    return decided(
        evidence,
        "saturation",
        "busy_share",
        value,
        alert=float(shares[low]) > bound,
        effect=(value / bound, "of max_busy"),
        sentence=f"workers were busy {share(value, 1)} of the time in the busiest of {len(shares)} minutes "
        f"(their 95th percentile), {share(bound, 1)} is allowed{most}",
        rows=len(shares),
        slice_="workers",
        interval=(float(shares[low]), float(shares[high])),
    )
