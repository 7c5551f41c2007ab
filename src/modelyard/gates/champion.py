"""``no_worse_than``: a version beside the live one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelyard.gates.figures import ROUNDING, apart, p_value, show
from modelyard.metrics.paired import p_no_worse, p_worse
from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.gate import Gate, GateOutcome


def against_live(
    gate: Gate, value: float, environment: str, compared: Mapping[str, Comparison]
) -> GateOutcome:
    metric = gate.metric

    def outcome(passed: bool, sentence: str) -> GateOutcome:
        return GateOutcome(metric=metric, rule="no_worse_than", passed=passed, sentence=sentence)

    found = compared.get(environment)
    if found is not None and found.unfit:
        return outcome(
            False, f"{metric} cannot be compared with the live version of {environment}: {found.unfit}."
        )
    if not math.isfinite(value):
        return outcome(
            False, f"{metric} is undefined on these rows, so it cannot be compared with {environment}."
        )
    if found is None:
        return outcome(
            True, f"{metric} is {show(value)}; nothing is live in {environment} to compare it with."
        )
    paired = found.metric(metric)
    if paired is None:
        return outcome(
            False,
            f"{metric} is {show(value)}, but undefined on these rows for the live version of {environment}.",
        )
    shown, theirs = apart(paired.value, paired.champion)
    live = f"the live version of {environment} with {theirs} on the same rows"
    if gate.test == "point":
        passed, finding = by_point(paired, gate.tolerance)
        return outcome(passed, f"{metric} is {shown}, {finding} {live}.")
    passed, finding = _by_test(paired, gate)
    return outcome(passed, f"{metric} is {shown} beside {live}: {finding}.")


def by_point(paired: PairedMetric, tolerance: float) -> tuple[bool, str]:
    """Whether the difference seen is within the tolerance, and how it compares, up to the word "than"."""
    worse_by = -paired.difference if paired.higher_is_better else paired.difference
    passed = worse_by <= tolerance + ROUNDING
    if worse_by <= 0:
        return passed, "no worse than"
    if passed:
        return passed, f"worse by {show(worse_by)}, within the tolerance of {show(tolerance)}, than"
    allowed = f", more than the tolerance of {show(tolerance)}" if tolerance else ""
    return passed, f"worse by {show(worse_by)}{allowed}, than"


def p_of(paired: PairedMetric, gate: Gate) -> float:
    """What the gate's test says of one difference."""
    error = math.nan if paired.error is None else paired.error
    test = p_no_worse if gate.test == "non_inferiority" else p_worse
    return test(paired.name, paired.difference, error, gate.tolerance)


def meets(p: float, gate: Gate) -> bool:
    """Whether such a p lets a version pass: what must be shown is, or what must not be is not."""
    shown = p <= 1 - gate.confidence
    return shown if gate.test == "non_inferiority" else not shown


def _by_test(paired: PairedMetric, gate: Gate) -> tuple[bool, str]:
    p = p_of(paired, gate)
    shown = "show" if p <= 1 - gate.confidence else "do not show"
    what = "is not worse" if gate.test == "non_inferiority" else "is worse"
    margin = f"by more than {show(gate.tolerance)}" if gate.tolerance else "at all"
    sure = f"with {100 * gate.confidence:g} % confidence"
    return meets(p, gate), f"these rows {shown} {sure} that it {what} {margin} ({p_value(p)})"
