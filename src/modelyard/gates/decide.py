"""Each bound of each gate, tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelyard.errors import GateFailed, SettingsError
from modelyard.gates.champion import against_live
from modelyard.gates.figures import LEAST, apart, show
from modelyard.gates.slices import by_slice
from modelyard.metrics.quantile import aim
from modelyard.metrics.score import higher_is_better
from modelyard.metrics.score import require as known
from modelyard.records.comparison import Comparison
from modelyard.records.footprint import FIGURES
from modelyard.records.gate import Gate, GateOutcome
from modelyard.records.package import Label, Task
from modelyard.records.slices import Slice


def decide(
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    compared: Mapping[str, Comparison],
    slices: Sequence[Slice] = (),
) -> tuple[GateOutcome, ...]:
    """One outcome for each bound of each gate, in the order given, and one for each column that it is sliced by.

    ``compared`` holds, per environment, its live version beside this one on the same rows; an
    environment that is absent has none live, and ``no_worse_than`` passes. With a live version that
    cannot be scored on these rows (``Comparison.unfit``) it fails. A metric that is missing, NaN or
    infinite fails. Raises ``SettingsError`` for an unknown metric.
    """
    return tuple(outcome for gate in gates for outcome in _bounds(gate, metrics, compared, slices))


def require(
    gates: Sequence[Gate],
    task: Task,
    quantiles: Sequence[float] = (),
    classes: Sequence[Label] = (),
) -> None:
    """``SettingsError`` for a metric that such a model does not have, or that cannot be compared."""
    for gate in gates:
        if gate.metric in FIGURES:
            if gate.no_worse_than is not None or gate.slices or gate.min is not None:
                raise SettingsError(
                    f"'{gate.metric}' is measured anew on whatever machine evaluates, all rows alike; "
                    "bound it with 'max' alone."
                )
            continue
        near = aim(known(gate.metric, task, quantiles, classes), quantiles)
        if near is not None and gate.no_worse_than is not None:
            raise SettingsError(
                f"'{gate.metric}' is to be near {near:g}, better neither above nor below it, so "
                "'no_worse_than' cannot hold it; give 'min' and 'max', or compare 'coverage_error' or 'pinball'."
            )


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
    slices: Sequence[Slice],
) -> list[GateOutcome]:
    if gate.metric not in FIGURES:
        higher_is_better(gate.metric)
    value = metrics.get(gate.metric, math.nan)
    outcomes = []
    if gate.min is not None:
        outcomes.append(_bound(gate.metric, "min", value, gate.min))
    if gate.max is not None:
        outcomes.append(_bound(gate.metric, "max", value, gate.max))
    if gate.no_worse_than is not None:
        outcomes.append(against_live(gate, value, gate.no_worse_than, compared))
    return outcomes + by_slice(gate, slices, compared)


def _bound(metric: str, rule: str, value: float, bound: float) -> GateOutcome:
    if not math.isfinite(value):
        where = "was not measured" if metric in FIGURES else "is undefined on these rows"
        sentence = f"{metric} {where} and must be at {LEAST[rule]} {show(bound)}."
        return GateOutcome(metric=metric, rule=rule, passed=False, sentence=sentence)
    passed = value >= bound if rule == "min" else value <= bound
    shown, limit = apart(value, bound)
    verdict = f"at {LEAST[rule]}" if passed else ("below" if rule == "min" else "above")
    end = "" if passed else (", the least allowed" if rule == "min" else ", the most allowed")
    return GateOutcome(
        metric=metric, rule=rule, passed=passed, sentence=f"{metric} is {shown}, {verdict} {limit}{end}."
    )
