"""Rules that evaluation and promotion share (floor 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelyard.errors import GateFailed
from modelyard.metrics.score import higher_is_better
from modelyard.records.gate import Gate, GateOutcome


def decide(
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    live: Mapping[str, Mapping[str, float]],
    *,
    unfit: Mapping[str, str] | None = None,
) -> tuple[GateOutcome, ...]:
    """One outcome for each bound of each gate, in the order given.

    ``live`` holds, per environment, the metrics of its live version scored again on the same rows;
    an environment that is absent has none live, and ``no_worse_than`` passes. ``unfit`` says for
    an environment, in a clause, why its live version cannot be scored on these rows; then it fails.
    A metric that is missing, NaN or infinite fails. Raises ``SettingsError`` for an unknown metric.
    """
    return tuple(outcome for gate in gates for outcome in _bounds(gate, metrics, live, unfit or {}))


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
    live: Mapping[str, Mapping[str, float]],
    unfit: Mapping[str, str],
) -> list[GateOutcome]:
    higher_is_better(gate.metric)
    value = metrics.get(gate.metric, math.nan)
    outcomes = []
    if gate.min is not None:
        outcomes.append(_bound(gate.metric, "min", value, gate.min))
    if gate.max is not None:
        outcomes.append(_bound(gate.metric, "max", value, gate.max))
    if gate.no_worse_than is not None:
        outcomes.append(_against_live(gate, value, gate.no_worse_than, live, unfit))
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
    gate: Gate,
    value: float,
    environment: str,
    live: Mapping[str, Mapping[str, float]],
    unfit: Mapping[str, str],
) -> GateOutcome:
    metric = gate.metric

    def outcome(passed: bool, sentence: str) -> GateOutcome:
        return GateOutcome(metric=metric, rule="no_worse_than", passed=passed, sentence=sentence)

    if environment in unfit:
        return outcome(
            False,
            f"{metric} cannot be compared with the live version of {environment}: {unfit[environment]}.",
        )
    if not math.isfinite(value):
        return outcome(
            False, f"{metric} is undefined on these rows, so it cannot be compared with {environment}."
        )
    if environment not in live:
        return outcome(
            True, f"{metric} is {_show(value)}; nothing is live in {environment} to compare it with."
        )
    other = live[environment].get(metric, math.nan)
    if not math.isfinite(other):
        return outcome(
            False,
            f"{metric} is {_show(value)}, but undefined on these rows for the live version of {environment}.",
        )
    worse_by = other - value if higher_is_better(metric) else value - other
    passed = worse_by <= gate.tolerance + _ROUNDING
    shown, theirs = _apart(value, other)
    if worse_by <= 0:
        finding = "no worse than"
    elif passed:
        finding = f"worse by {_show(worse_by)}, within the tolerance of {_show(gate.tolerance)}, than"
    else:
        allowed = f", more than the tolerance of {_show(gate.tolerance)}" if gate.tolerance else ""
        finding = f"worse by {_show(worse_by)}{allowed}, than"
    return outcome(
        passed,
        f"{metric} is {shown}, {finding} the live version of {environment} with {theirs} on the same rows.",
    )


_ROUNDING = 1e-12
"""0.98 - 0.975 is a little more than 0.005."""
_LEAST = {"min": "least", "max": "most"}


def _show(value: float) -> str:
    return f"{value:.4g}"


def _apart(value: float, other: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart: never '0.95, below 0.95'."""
    for digits in range(4, 17):
        shown, bound = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if shown != bound or value == other:
            break
    return shown, bound
