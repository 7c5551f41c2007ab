"""Rules that evaluation and promotion share (floor 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelyard.errors import GateFailed
from modelyard.metrics.paired import p_no_worse, p_worse
from modelyard.metrics.score import higher_is_better
from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.gate import Gate, GateOutcome


def decide(
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    compared: Mapping[str, Comparison],
) -> tuple[GateOutcome, ...]:
    """One outcome for each bound of each gate, in the order given.

    ``compared`` holds, per environment, its live version beside this one on the same rows; an
    environment that is absent has none live, and ``no_worse_than`` passes. With a live version that
    cannot be scored on these rows (``Comparison.unfit``) it fails. A metric that is missing, NaN or infinite fails. Raises ``SettingsError`` for an unknown metric.
    """
    return tuple(outcome for gate in gates for outcome in _bounds(gate, metrics, compared))


def refuse(outcomes: Sequence[GateOutcome]) -> None:
    """Raise ``GateFailed`` with one sentence when any outcome is no."""
    failed = [o for o in outcomes if not o.passed]
    if failed:
        reasons = "; ".join(o.sentence.removesuffix(".") for o in failed)
        count = f"{len(failed)} of {len(outcomes)} gates" if len(outcomes) > 1 else "The gate"
        were = "was" if len(failed) == 1 else "were"
        raise GateFailed(f"{count} {were} not met: {reasons}.")


def _bounds(
    gate: Gate,
    metrics: Mapping[str, float],
    compared: Mapping[str, Comparison],
) -> list[GateOutcome]:
    higher_is_better(gate.metric)
    value = metrics.get(gate.metric, math.nan)
    outcomes = []
    if gate.min is not None:
        outcomes.append(_bound(gate.metric, "min", value, gate.min))
    if gate.max is not None:
        outcomes.append(_bound(gate.metric, "max", value, gate.max))
    if gate.no_worse_than is not None:
        outcomes.append(_against_live(gate, value, gate.no_worse_than, compared))
    return outcomes


def _bound(metric: str, rule: str, value: float, bound: float) -> GateOutcome:
    if not math.isfinite(value):
        sentence = f"{metric} is undefined on these rows and must be at {_LEAST[rule]} {_show(bound)}."
        return GateOutcome(metric=metric, rule=rule, passed=False, sentence=sentence)
    passed = value >= bound if rule == "min" else value <= bound
    shown, limit = _apart(value, bound)
    verdict = f"at {_LEAST[rule]}" if passed else ("below" if rule == "min" else "above")
    end = "" if passed else (", the least allowed" if rule == "min" else ", the most allowed")
    return GateOutcome(
        metric=metric, rule=rule, passed=passed, sentence=f"{metric} is {shown}, {verdict} {limit}{end}."
    )


def _against_live(
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
            True, f"{metric} is {_show(value)}; nothing is live in {environment} to compare it with."
        )
    paired = found.metric(metric)
    if paired is None:
        return outcome(
            False,
            f"{metric} is {_show(value)}, but undefined on these rows for the live version of {environment}.",
        )
    shown, theirs = _apart(paired.value, paired.champion)
    live = f"the live version of {environment} with {theirs} on the same rows"
    if gate.test == "point":
        passed, finding = _by_point(paired, gate.tolerance)
        return outcome(passed, f"{metric} is {shown}, {finding} {live}.")
    passed, finding = _by_test(paired, gate)
    return outcome(passed, f"{metric} is {shown} beside {live}: {finding}.")


def _by_point(paired: PairedMetric, tolerance: float) -> tuple[bool, str]:
    worse_by = -paired.difference if paired.higher_is_better else paired.difference
    passed = worse_by <= tolerance + _ROUNDING
    if worse_by <= 0:
        return passed, "no worse than"
    if passed:
        return passed, f"worse by {_show(worse_by)}, within the tolerance of {_show(tolerance)}, than"
    allowed = f", more than the tolerance of {_show(tolerance)}" if tolerance else ""
    return passed, f"worse by {_show(worse_by)}{allowed}, than"


def _by_test(paired: PairedMetric, gate: Gate) -> tuple[bool, str]:
    """Whether the difference passes at the gate's confidence, and what the rows show."""
    error = math.nan if paired.error is None else paired.error
    arguments = (paired.name, paired.difference, error, gate.tolerance)
    sure = f"with {100 * gate.confidence:g} % confidence"
    margin = f"by more than {_show(gate.tolerance)}" if gate.tolerance else "at all"
    alpha = 1 - gate.confidence
    if gate.test == "non_inferiority":
        p = p_no_worse(*arguments)
        shown = "these rows show" if p <= alpha else "these rows do not show"
        return p <= alpha, f"{shown} {sure} that it is not worse {margin} ({_p(p)})"
    p = p_worse(*arguments)
    shown = "these rows show" if p <= alpha else "these rows do not show"
    return p > alpha, f"{shown} {sure} that it is worse {margin} ({_p(p)})"


_ROUNDING = 1e-12
"""0.98 - 0.975 is a little more than 0.005."""
_LEAST = {"min": "least", "max": "most"}


def _show(value: float) -> str:
    return f"{value:.4g}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _apart(value: float, other: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart: never '0.95, below 0.95'."""
    for digits in range(4, 17):
        shown, bound = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if shown != bound or value == other:
            break
    return shown, bound
