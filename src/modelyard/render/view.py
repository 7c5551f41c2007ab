"""A report in words and formatted figures, the same for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.records.gate import GateOutcome
from modelyard.records.package import Task
from modelyard.records.report import Metric, Report
from modelyard.render.compared import ComparisonView, compared
from modelyard.render.decided import CostsView, FairnessView, Line, calibration_lines, priced, treated
from modelyard.render.explained import (
    BaselineView,
    ImportanceView,
    StabilityView,
    ranked,
    simpler,
    steady,
    verdict,
)
from modelyard.render.footprint import FootprintView, taken
from modelyard.render.labels import LabelRow, label_rows
from modelyard.render.sliced import PairedTable, SearchView, SliceTable, paired_tables, searched, tables
from modelyard.render.tuned import StudyView, studied
from modelyard.render.wording import OF_LABEL, UNIT_RANGE, headlines, number, words


@dataclass(frozen=True)
class MetricRow:
    name: str
    label: str
    meaning: str
    value: str
    low: str
    high: str
    better: str
    place: tuple[float, float, float] | None
    """Value, low and high in per cent of the way from 0 to 1, where that is the metric's range."""


@dataclass(frozen=True)
class GateRow:
    label: str
    rule: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Cell:
    count: int
    share: str
    """Of the true class, in per cent."""
    tint: float
    """The same from 0 to 1."""
    right: bool


@dataclass(frozen=True)
class ClassRow:
    label: str
    rows: int
    recall: str
    precision: str
    f1: str


@dataclass(frozen=True)
class ReportView:
    """Every figure as it is printed; labels are raw text, to be escaped by the template."""

    report: Report
    verdict: str
    summary: str
    positive: str
    classes: tuple[str, ...]
    created: str
    rows: str
    metrics: tuple[MetricRow, ...]
    headlines: tuple[MetricRow, ...]
    gates: tuple[GateRow, ...]
    comparisons: tuple[tuple[ComparisonView, tuple[PairedTable, ...]], ...]
    """Each with its slices."""
    slices: tuple[SliceTable, ...]
    search: SearchView | None
    calibration: tuple[Line, ...]
    costs: CostsView | None
    fairness: tuple[FairnessView, ...]
    baselines: tuple[BaselineView, ...]
    simpler: str
    """What the simpler model says of this one."""
    importance: ImportanceView | None
    stability: StabilityView | None
    footprint: FootprintView | None
    study: StudyView | None
    labels: tuple[LabelRow, ...]
    thresholds: bool
    cells: tuple[tuple[Cell, ...], ...]
    per_class: tuple[ClassRow, ...]
    reading: str
    """What the confusion matrix of two classes says, in a sentence."""


def view(report: Report) -> ReportView:
    """The report as both renderings print it."""
    classes = tuple(str(label) for label in report.classes)
    positive = classes[-1] if report.task == "binary" else ""
    told = {f"{kind}_{one.label}" for one in report.labels for kind in OF_LABEL}
    metrics = tuple(_metric(m, positive, report.task) for m in report.metrics if m.name not in told)
    by_name = {row.name: row for row in metrics}
    cells = cells_of(report.confusion)
    baselines = simpler(report.baselines, headlines(report.task, report.quantiles))
    return ReportView(
        report=report,
        verdict=_verdict(report),
        summary=_summary(report),
        positive=positive,
        classes=classes,
        created=report.created.strftime("%-d %B %Y, %H:%M UTC"),
        rows=f"{report.rows:,}",
        metrics=metrics,
        headlines=tuple(by_name[n] for n in headlines(report.task, report.quantiles) if n in by_name),
        gates=gate_rows(report.gates),
        comparisons=tuple((compared(c), paired_tables(c, report)) for c in report.comparisons),
        slices=tables(report),
        search=searched(report.search) if report.search else None,
        calibration=calibration_lines(report.calibration) if report.calibration else (),
        costs=priced(report.costs) if report.costs else None,
        fairness=tuple(map(treated, report.fairness)),
        baselines=baselines,
        simpler=verdict(baselines),
        importance=ranked(report.importance) if report.importance else None,
        stability=steady(report.stability, report.task) if report.stability else None,
        footprint=taken(report.footprint) if report.footprint else None,
        study=studied(report.study, report.trials) if report.study else None,
        labels=label_rows(report),
        thresholds=any(one.best is not None for one in report.labels),
        cells=cells,
        per_class=_per_class(report.confusion, classes) if report.task == "multiclass" and cells else (),
        reading=_reading(report.confusion, positive) if report.task == "binary" and cells else "",
    )


def gate_rows(gates: Sequence[GateOutcome]) -> tuple[GateRow, ...]:
    """What was asked and what was found."""
    return tuple(
        GateRow(
            label=words(g.metric)[0],
            rule=g.rule.replace("_", " ") + (f", by {g.by}" if g.by else ""),
            passed=g.passed,
            sentence=g.sentence,
        )
        for g in gates
    )


def _metric(metric: Metric, positive: str, task: Task) -> MetricRow:
    label, meaning = words(metric.name, task)
    place = None
    if metric.name in UNIT_RANGE or metric.aim is not None:
        value, low, high = (100 * min(1.0, max(0.0, v)) for v in (metric.value, metric.low, metric.high))
        place = (value, low, high)
    return MetricRow(
        name=metric.name,
        label=label,
        meaning=meaning.replace("{positive}", f"\u201c{positive}\u201d"),
        value=number(metric.value),
        low=number(metric.low),
        high=number(metric.high),
        better=_better(metric),
        place=place,
    )


def _better(metric: Metric) -> str:
    if metric.aim is not None:
        return f"near {metric.aim:g}"
    return "higher" if metric.higher_is_better else "lower"


def _verdict(report: Report) -> str:
    if not report.passed:
        return "Not passed"
    return "Passed" if report.gates else "Ungated"


def _summary(report: Report) -> str:
    asked, failed = len(report.gates), sum(not gate.passed for gate in report.gates)
    if not asked:
        return "No gate was set, so nothing was asked of this model."
    if not failed:
        return "The one gate is met." if asked == 1 else f"All {asked} gates are met."
    if asked == 1:
        return "The one gate is not met."
    return f"{failed} of {asked} gates {'is' if failed == 1 else 'are'} not met."


def cells_of(confusion: tuple[tuple[int, ...], ...]) -> tuple[tuple[Cell, ...], ...]:
    """A confusion matrix with each count's share of its true class."""
    rows = []
    for i, row in enumerate(confusion):
        total = sum(row)
        shares = [count / total if total else 0.0 for count in row]
        rows.append(
            tuple(
                Cell(count=count, share=_percent(share), tint=round(share, 4), right=i == j)
                for j, (count, share) in enumerate(zip(row, shares, strict=True))
            )
        )
    return tuple(rows)


def _per_class(confusion: tuple[tuple[int, ...], ...], classes: tuple[str, ...]) -> tuple[ClassRow, ...]:
    rows = []
    for k, label in enumerate(classes):
        right, actual = confusion[k][k], sum(confusion[k])
        answered = sum(row[k] for row in confusion)
        rows.append(
            ClassRow(
                label=label,
                rows=actual,
                recall=_share(right, actual),
                precision=_share(right, answered),
                f1=_share(2 * right, actual + answered),
            )
        )
    return tuple(rows)


def _reading(confusion: tuple[tuple[int, ...], ...], positive: str) -> str:
    (_, alarms), (missed, found) = confusion
    others = f"{alarms:,} other {'case was' if alarms == 1 else 'cases were'}"
    return (
        f"Of {found + missed:,} cases of \u201c{positive}\u201d the model found {found:,} and missed {missed:,}; "
        f"{others} called \u201c{positive}\u201d."
    )


def _share(part: int, whole: int) -> str:
    return number(part / whole) if whole else "\u2013"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u202f%"
