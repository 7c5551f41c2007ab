"""A comparison with a champion in words and formatted figures."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.records.comparison import Comparison, Decisions, PairedMetric
from modelyard.render.figures import MINUS
from modelyard.render.wording import number, words


@dataclass(frozen=True)
class PairedRow:
    label: str
    value: str
    champion: str
    difference: str
    between: str
    """The 95 % interval of the difference."""
    finding: str
    """``better``, ``worse`` or ``undecided``, by whether the interval holds 0; ``same`` for one like the other."""
    place: tuple[float, float, float] | None
    """Difference, low and high in per cent of the way from worse to better, equal in the middle."""


@dataclass(frozen=True)
class ComparisonView:
    environment: str
    champion: str
    summary: str
    rows: tuple[PairedRow, ...]
    """None where both answer alike."""
    decisions: str


def compared(
    comparison: Comparison, *, ours: str = "this version", theirs: str = "the champion"
) -> ComparisonView:
    """The comparison as both renderings print it, with what the two are called in its sentences."""
    rows = tuple(paired_row(metric) for metric in comparison.metrics)
    return ComparisonView(
        environment=comparison.environment,
        champion=comparison.champion or f"the live version of {comparison.environment}",
        summary=_summary(comparison, rows, ours),
        rows=() if _alike(comparison) else rows,
        decisions=_decisions(comparison.decisions, ours, theirs) if comparison.decisions else "",
    )


def signed(value: float) -> str:
    """A difference with its sign."""
    text = number(value)
    return text if text.startswith(MINUS) or not value else f"+{text}"


def p_value(p: float) -> str:
    """As ``p = 0.031``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def paired_row(metric: PairedMetric) -> PairedRow:
    """One metric of both versions."""
    finding, place, between = "undecided", None, "\u2013"
    if metric.low is not None and metric.high is not None:
        between = f"{signed(metric.low)} to {signed(metric.high)}"
        if metric.difference == 0 and metric.error == 0:
            finding = "same"
        elif metric.low > 0 or metric.high < 0:
            finding = "better" if (metric.low > 0) == metric.higher_is_better else "worse"
        place = _place(metric.difference, metric.low, metric.high, higher=metric.higher_is_better)
    return PairedRow(
        label=words(metric.name)[0],
        value=number(metric.value),
        champion=number(metric.champion),
        difference=signed(metric.difference),
        between=between,
        finding=finding,
        place=place,
    )


def _place(value: float, low: float, high: float, *, higher: bool) -> tuple[float, float, float]:
    reach = max(abs(low), abs(high)) or 1.0
    at, left, right = (50 + 46 * v / reach for v in (value, low, high))
    return (at, left, right) if higher else (100 - at, 100 - right, 100 - left)


def _summary(comparison: Comparison, rows: tuple[PairedRow, ...], ours: str) -> str:
    if comparison.unfit:
        return f"It cannot be scored on these rows: {comparison.unfit}."
    if _alike(comparison):
        return "Both answer alike wherever a metric looks: no difference at all on these rows."
    better, worse, undecided, same = (
        sum(row.finding == kind for row in rows) for kind in ("better", "worse", "undecided", "same")
    )
    alike = f", {same} the same" if same else ""
    return (
        f"Of {len(rows)} metrics {ours} is better on {better or 'none'} and worse on {worse or 'none'}; "
        f"{undecided or 'none'} undecided{alike}."
    )


def _alike(comparison: Comparison) -> bool:
    return all(metric.difference == 0 and metric.error == 0 for metric in comparison.metrics)


def _decisions(decisions: Decisions, ours: str, theirs: str) -> str:
    d = decisions
    differ = "differ for sure" if d.p_mid <= 0.05 else "do not differ for sure"
    return (
        f"Both answer {d.both:,} rows rightly and {d.neither:,} wrongly; only {ours} has {d.only_challenger:,} "
        f"right and only {theirs} {d.only_champion:,}. The decisions {differ} "
        f"(McNemar, mid-{p_value(d.p_mid)}, exact {p_value(d.p_exact)})."
    )
