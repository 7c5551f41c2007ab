"""Gates on how groups are treated."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.gates.figures import show
from modelyard.records.fairness import Fairness
from modelyard.records.gate import FairnessRule, GateOutcome

RATES = {
    "demographic_parity": ("selection",),
    "equal_opportunity": ("tpr",),
    "equalized_odds": ("tpr", "fpr"),
    "predictive_parity": ("ppv",),
}
WORDS = {
    "selection": "share of positive answers",
    "tpr": "share of positives found",
    "fpr": "share of false alarms",
    "ppv": "share of positive answers that are right",
}


def fair(rules: Sequence[FairnessRule], found: Sequence[Fairness]) -> tuple[GateOutcome, ...]:
    """One outcome for each bound of each rule; one whose gap these rows do not tell is not met."""
    by_column = {fairness.column: fairness for fairness in found}
    outcomes = []
    for rule in rules:
        for kind, bound in (("max_gap", rule.max_gap), ("min_ratio", rule.min_ratio)):
            if bound is not None:
                outcomes += [
                    _outcome(rule, by_column[rule.by], rate, kind, bound) for rate in RATES[rule.metric]
                ]
    return tuple(outcomes)


def _outcome(rule: FairnessRule, fairness: Fairness, rate: str, kind: str, bound: float) -> GateOutcome:
    gap = fairness.gap(rate)
    what = f"the {WORDS[rate]} by {rule.by}"
    figures = None
    if gap is not None and kind == "max_gap":
        figures = (gap.gap, gap.low, gap.high)
    elif (
        gap is not None and gap.ratio is not None and gap.ratio_low is not None and gap.ratio_high is not None
    ):
        figures = (gap.ratio, gap.ratio_low, gap.ratio_high)
    if gap is None or figures is None:
        passed, sentence = False, f"{rule.metric} cannot be judged: {what} is told for fewer than two groups."
    else:
        value, low, high = figures
        passed = value <= bound if kind == "max_gap" else value >= bound
        noun = "a gap" if kind == "max_gap" else "a ratio"
        side = (
            ("at most" if passed else "above") if kind == "max_gap" else ("at least" if passed else "below")
        )
        sentence = (
            f"{rule.metric}: {what} has {noun} of {show(value)} ({show(low)} to {show(high)}) between "
            f"{gap.most} and {gap.least}, {side} {show(bound)}."
        )
    return GateOutcome(metric=rule.metric, rule=kind, passed=passed, sentence=sentence, by=rule.by)
