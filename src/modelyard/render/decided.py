"""Calibration, prices and fairness in words and formatted figures."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.records.decision import Calibration, Costs, Estimate
from modelyard.records.fairness import Fairness, GroupGap, Rate
from modelyard.render.compared import signed
from modelyard.render.figures import plain
from modelyard.render.wording import number

_RATES = {
    "selection": "Answered positive",
    "tpr": "Positives found",
    "fpr": "False alarms",
    "ppv": "Positive answers right",
}


@dataclass(frozen=True)
class Line:
    label: str
    meaning: str
    value: str
    between: str


@dataclass(frozen=True)
class CostsView:
    summary: str
    lines: tuple[Line, ...]
    threshold: str


@dataclass(frozen=True)
class GroupRow:
    label: str
    rows: str
    rates: tuple[tuple[str, str], ...]
    """Value and interval of each rate; empty where they are not judged."""


@dataclass(frozen=True)
class FairnessView:
    column: str
    rates: tuple[str, ...]
    groups: tuple[GroupRow, ...]
    gaps: tuple[tuple[str, str, str, str], ...]
    """Rate, between whom, gap, ratio."""


def calibration_lines(found: Calibration) -> tuple[Line, ...]:
    """Murphy's parts and Cox's recalibration, each with what it says."""
    lines = [
        Line(
            "Reliability",
            "distance of stated probability and observed share; 0 is right",
            number(found.reliability),
            "",
        ),
        Line(
            "Resolution",
            f"how far the model tells cases apart, of {number(found.uncertainty)} that there is to tell",
            number(found.resolution),
            "",
        ),
    ]
    if found.slope:
        lines.append(_line("Slope", _slope(found.slope), found.slope))
    if found.intercept:
        lines.append(_line("Intercept", _intercept(found.intercept), found.intercept))
    return tuple(lines)


def priced(costs: Costs) -> CostsView:
    """What decisions cost, as packaged and at the threshold of the prices."""
    d = costs.difference
    if d.high < 0:
        finding = "these rows show that it would cost less"
    elif d.low > 0:
        finding = "these rows show that it would cost more, so the probabilities do not mean what they say"
    else:
        finding = "these rows do not tell which costs less"
    summary = (
        f"With {plain(costs.false_positive)} for a false alarm and {plain(costs.false_negative)} for a miss, a "
        f"probability that means what it says is best acted on from {number(costs.threshold)} on; {finding}."
    )
    ((_, alarms), (missed, found)) = costs.confusion
    lines = (
        Line("As packaged", "the label of the larger probability", number(costs.packaged), ""),
        Line(
            f"From {number(costs.threshold)} on",
            f"finds {found:,} of {found + missed:,} with {alarms:,} false alarms",
            number(costs.at_threshold),
            "",
        ),
        Line("Difference", "a row, on average", signed(d.value), f"{signed(d.low)} to {signed(d.high)}"),
    )
    return CostsView(summary, lines, number(costs.threshold))


def treated(fairness: Fairness) -> FairnessView:
    """Groups and gaps of one column."""
    groups = []
    for group in fairness.groups:
        rates = (group.selection, group.tpr, group.fpr, group.ppv)
        groups.append(
            GroupRow(group.label, f"{group.rows:,}", tuple(map(_rate, rates)) if group.judged else ())
        )
    gaps = tuple(
        (
            _RATES[g.rate],
            f"{g.most} over {g.least}",
            f"{number(g.gap)} ({number(g.low)} to {number(g.high)})",
            _ratio(g),
        )
        for g in fairness.gaps
    )
    return FairnessView(fairness.column, tuple(_RATES.values()), tuple(groups), gaps)


def _line(label: str, meaning: str, found: Estimate) -> Line:
    return Line(label, meaning, number(found.value), f"{number(found.low)} to {number(found.high)}")


def _slope(slope: Estimate) -> str:
    if slope.high < 1:
        return "below 1: probabilities are too extreme, as of a model that learned its rows by heart"
    if slope.low > 1:
        return "above 1: probabilities are too timid"
    return "1 is right, and within the interval"


def _intercept(intercept: Estimate) -> str:
    if intercept.low > 0:
        return "above 0: probabilities are too low on the whole"
    if intercept.high < 0:
        return "below 0: probabilities are too high on the whole"
    return "0 is right, and within the interval"


def _rate(rate: Rate) -> tuple[str, str]:
    if rate.value is None:
        return "\u2013", "no such row"
    return number(rate.value), f"{number(rate.low)} to {number(rate.high)}"


def _ratio(gap: GroupGap) -> str:
    if gap.ratio is None or gap.ratio_low is None or gap.ratio_high is None:
        return "\u2013"
    return f"{number(gap.ratio)} ({number(gap.ratio_low)} to {number(gap.ratio_high)})"
