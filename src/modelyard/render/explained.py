"""Baselines, importance and dependence in words and formatted figures."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.records.explanation import Baseline, Importance
from modelyard.records.package import Task
from modelyard.records.stability import Stability
from modelyard.render.compared import PairedRow, paired_row, signed
from modelyard.render.wording import number

SHOWN = 20
"""Features in the table; the record has all."""
_NAMES = {
    "prior": "Always the class shares",
    "mean": "Always the mean",
    "logistic": "Logistic regression",
    "ridge": "Ridge regression",
    "quantiles": "Always the quantiles of the training rows",
    "ridge_quantiles": "Ridge regression with its residuals' quantiles",
}
_LOSSES = {
    "brier": "Brier score",
    "zero_one": "share of wrong answers",
    "absolute_error": "mean absolute error",
    "pinball": "pinball loss",
}


@dataclass(frozen=True)
class BaselineView:
    name: str
    rows: str
    metrics: tuple[PairedRow, ...]


@dataclass(frozen=True)
class FeatureRow:
    column: str
    increase: str
    between: str
    width: tuple[float, float, float]
    """Increase, low and high in per cent of the largest high end."""
    felt: bool
    """Whether the interval is above 0."""


@dataclass(frozen=True)
class ImportanceView:
    summary: str
    rows: tuple[FeatureRow, ...]
    more: int


def simpler(found: tuple[Baseline, ...], headlines: tuple[str, ...]) -> tuple[BaselineView, ...]:
    """Each baseline with the headline metrics of both."""
    views = []
    for baseline in found:
        by_name = {m.name: m for m in baseline.metrics}
        rows = tuple(paired_row(by_name[name]) for name in headlines if name in by_name)
        views.append(BaselineView(_NAMES.get(baseline.name, baseline.name), f"{baseline.rows:,}", rows))
    return tuple(views)


def verdict(views: tuple[BaselineView, ...]) -> str:
    """What the comparison with the linear model says by the first metric."""
    if len(views) < 2 or not views[-1].metrics:
        return ""
    first, name = views[-1].metrics[0], views[-1].name.lower()
    return {
        "better": f"It is better than the {name} by {first.label}.",
        "worse": f"The {name} is better by {first.label}: the simpler model would do better.",
        "same": f"It is as good as the {name} by {first.label}.",
    }.get(
        first.finding,
        f"These rows do not show that it is better than the {name} by {first.label}: the simpler model may do.",
    )


def ranked(importance: Importance) -> ImportanceView:
    """The features whose shuffling is felt most."""
    loss = _LOSSES.get(importance.loss, importance.loss)
    summary = importance.note or (
        f"By how much the {loss}, {number(importance.base)} as it is, grows when a feature is shuffled among the rows: "
        f"{importance.rows:,} test rows, {importance.repeats} times."
    )
    reach = max((f.high for f in importance.features), default=0.0)
    reach = reach if reach > 0 else 1.0
    rows = tuple(
        FeatureRow(
            column=f.column,
            increase=signed(f.increase),
            between=f"{signed(f.low)} to {signed(f.high)}",
            width=(_share(f.increase, reach), _share(f.low, reach), _share(f.high, reach)),
            felt=f.low > 0,
        )
        for f in importance.features[:SHOWN]
    )
    return ImportanceView(summary, rows, max(0, len(importance.features) - SHOWN))


def _columns(count: int) -> str:
    return "one column" if count == 1 else f"{count:,} columns"


def _share(value: float, reach: float) -> float:
    return 100 * min(1.0, max(0.0, value / reach))


@dataclass(frozen=True)
class ShakeRow:
    what: str
    loss: str
    growth: str
    between: str
    moved: str
    felt: bool
    """Whether the growth's interval is above 0."""


@dataclass(frozen=True)
class StabilityView:
    summary: str
    loss: str
    labelled: bool
    rows: tuple[ShakeRow, ...]
    note: str


def steady(found: Stability, task: Task) -> StabilityView:
    """Each disturbance with what it did."""
    loss = _LOSSES.get(found.loss, found.loss)
    rows = []
    for shake in found.shakes:
        if shake.kind == "noise":
            what = (
                f"Noise of {100 * shake.level:g}\u202f% of a standard deviation on {_columns(shake.columns)}"
            )
        else:
            what = f"{100 * shake.level:g}\u202f% of the values of {_columns(shake.columns)} missing"
        moved = number(shake.moved) if task == "regression" else f"{100 * shake.moved:.1f}\u202f%"
        between = f"{signed(shake.low)} to {signed(shake.high)}"
        rows.append(ShakeRow(what, number(shake.loss), signed(shake.growth), between, moved, shake.low > 0))
    summary = f"The {loss} is {number(found.base)} on {found.rows:,} test rows as they are."
    return StabilityView(summary, loss, task != "regression", tuple(rows), found.note)
