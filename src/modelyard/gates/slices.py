"""A gate's bounds in each slice of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelyard.gates.champion import by_point, meets, p_of
from modelyard.gates.figures import p_value, show
from modelyard.metrics.corrections import holm
from modelyard.records.comparison import Comparison, PairedSlice
from modelyard.records.gate import Gate, GateOutcome
from modelyard.records.slices import Slice

_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Judged:
    label: str
    rows: int
    value: float
    passed: bool
    said: str


def by_slice(gate: Gate, slices: Sequence[Slice], compared: Mapping[str, Comparison]) -> list[GateOutcome]:
    """One outcome for each column of ``gate.slices`` and bound of the gate.

    A slice without the metric, because its rows are too few or leave it undefined, is not judged; where
    none can be, the gate is not met. The p-values of all slices of a gate are corrected by Holm's method.
    """
    outcomes = []
    for column in gate.slices:
        there = [s for s in slices if s.column == column]
        for rule, bound in (("min", gate.min), ("max", gate.max)):
            if bound is not None:
                outcomes.append(_bound(gate.metric, column, there, rule, bound))
    if gate.slices and gate.no_worse_than is not None:
        found = compared.get(gate.no_worse_than)
        if found is not None and not found.unfit:  # else what is said of all rows says it
            outcomes += _against_live(gate, found)
    return outcomes


def _bound(metric: str, column: str, slices: Sequence[Slice], rule: str, bound: float) -> GateOutcome:
    judged = []
    for part in slices:
        found = part.metric(metric)
        if found is not None:
            passed = found.value >= bound if rule == "min" else found.value <= bound
            judged.append(_Judged(part.label, part.rows, found.value, passed, show(found.value)))
    judged.sort(key=lambda j: j.value if rule == "min" else -j.value)
    side, end = ("below", "at least") if rule == "min" else ("above", "at most")
    return _outcome(
        metric, rule, column, judged, len(slices), side + f" {show(bound)}", end + f" {show(bound)}"
    )


def _against_live(gate: Gate, found: Comparison) -> list[GateOutcome]:
    live = f"the live version of {gate.no_worse_than}"
    judged: dict[str, list[tuple[PairedSlice, float]]] = {column: [] for column in gate.slices}
    tried = [
        (part, paired)
        for part in found.slices
        if part.column in judged and (paired := part.metric(gate.metric)) is not None
    ]
    corrected = holm([p_of(paired, gate) for _, paired in tried]) if tried and gate.test != "point" else []
    outcomes = []
    for column in gate.slices:
        rows = []
        for at, (part, paired) in enumerate(tried):
            if part.column != column:
                continue
            gain = paired.difference if paired.higher_is_better else -paired.difference
            if gate.test == "point":
                passed = by_point(paired, gate.tolerance)[0]
                said = f"{show(paired.value)} beside {show(paired.champion)}"
            else:
                passed = meets(corrected[at], gate)
                said = f"{show(paired.value)} beside {show(paired.champion)}, {p_value(corrected[at])}"
            rows.append(_Judged(part.label, part.rows, gain, passed, said))
        rows.sort(key=lambda j: j.value)
        margin = f" by more than {show(gate.tolerance)}" if gate.tolerance else ""
        how = {
            "point": (f"worse{margin} than {live}", f"no worse{margin} than {live}"),
            "non_inferiority": (
                f"not shown to be no worse{margin} than {live}",
                f"shown to be no worse{margin} than {live}",
            ),
            "inferiority": (
                f"shown to be worse{margin} than {live}",
                f"not shown to be worse{margin} than {live}",
            ),
        }[gate.test]
        count = sum(part.column == column for part in found.slices)
        outcomes.append(_outcome(gate.metric, "no_worse_than", column, rows, count, *how))
    return outcomes


def _outcome(
    metric: str, rule: str, column: str, judged: Sequence[_Judged], slices: int, no: str, yes: str
) -> GateOutcome:
    """``judged`` come the worst first."""
    failing = [j for j in judged if not j.passed]
    left = slices - len(judged)
    aside = f"; {left} of {slices} had too few rows to judge" if left and judged else ""
    if not judged:
        sentence = f"{metric} cannot be judged by {column}: no slice has rows enough to define it."
    elif failing:
        some = ", ".join(f"{j.label} with {j.said} ({j.rows:,} rows)" for j in failing[:_NAMED])
        more = f" and {len(failing) - _NAMED} more" if len(failing) > _NAMED else ""
        sentence = (
            f"{metric} by {column} is {no} in {len(failing)} of {len(judged)} slices: {some}{more}{aside}."
        )
    else:
        worst = judged[0]
        sentence = (
            f"{metric} by {column} is {yes} in all {len(judged)} slices, the worst being {worst.label} with "
            f"{worst.said} ({worst.rows:,} rows){aside}."
        )
    passed = bool(judged) and not failing
    return GateOutcome(metric=metric, rule=rule, passed=passed, sentence=sentence, by=column)
