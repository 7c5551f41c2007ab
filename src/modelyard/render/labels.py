"""The labels of a report, each with its figures."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.records.metric import Metric
from modelyard.records.report import Report
from modelyard.render.wording import OF_LABEL, number


@dataclass(frozen=True)
class Figure:
    value: str
    low: str
    high: str


@dataclass(frozen=True)
class LabelRow:
    label: str
    rows: str
    answered: str
    names: tuple[str, ...]
    figures: tuple[Figure | None, ...]
    """In the order of ``names``; None where these rows leave one undefined."""
    threshold: str
    best: str
    best_f1: str


def label_rows(report: Report) -> tuple[LabelRow, ...]:
    """None but for several labels."""
    found = {metric.name: metric for metric in report.metrics}
    kinds = [
        kind
        for kind in ("f1", "precision", "recall", "roc_auc", "average_precision")
        if any(f"{kind}_{one.label}" in found for one in report.labels)
    ]
    return tuple(
        LabelRow(
            label=one.label,
            rows=f"{one.rows:,}",
            answered=f"{one.answered:,}",
            names=tuple(OF_LABEL[kind] for kind in kinds),
            figures=tuple(_figure(found.get(f"{kind}_{one.label}")) for kind in kinds),
            threshold="" if one.threshold is None else f"{one.threshold:g}",
            best="" if one.best is None else f"{one.best:.3f}",
            best_f1="" if one.best_f1 is None else f"F1 {number(one.best_f1)}",
        )
        for one in report.labels
    )


def _figure(metric: Metric | None) -> Figure | None:
    if metric is None:
        return None
    return Figure(number(metric.value), number(metric.low), number(metric.high))
