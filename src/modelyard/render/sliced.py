"""Slices of a report in words and formatted figures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.metric import Metric
from modelyard.records.report import Report
from modelyard.records.slices import Search
from modelyard.render.compared import PairedRow, paired_row
from modelyard.render.wording import headlines, number, words

_LOSSES = {
    "brier": "Brier score",
    "zero_one": "share of wrong answers",
    "absolute_error": "mean absolute error",
    "pinball": "pinball loss",
}


@dataclass(frozen=True)
class SliceCell:
    value: str
    low: str
    high: str
    place: tuple[float, float, float]
    """Value, low and high in per cent of the way from the least to the greatest end in this column of the table."""


@dataclass(frozen=True)
class SliceRow:
    label: str
    rows: str
    cells: tuple[SliceCell | None, ...]
    """One for each metric of the table; None where these rows do not define it."""
    few: bool


@dataclass(frozen=True)
class SliceTable:
    column: str
    metrics: tuple[str, ...]
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class PairedTable:
    column: str
    metric: str
    rows: tuple[tuple[str, str, PairedRow | None], ...]
    """Label, rows and, where there are enough of these, both versions."""


@dataclass(frozen=True)
class WeakRow:
    where: tuple[tuple[str, str], ...]
    rows: str
    loss: str
    elsewhere: str
    wrong: str
    p: str


@dataclass(frozen=True)
class SearchView:
    summary: str
    loss: str
    rows: tuple[WeakRow, ...]
    labelled: bool
    """Whether a share of wrong answers is told."""


def tables(report: Report) -> tuple[SliceTable, ...]:
    """For each column the headline metrics, and those that a gate asks of it, slice by slice."""
    found = []
    for column, group in itertools.groupby(report.slices, key=lambda part: part.column):
        gated = [g.metric for g in report.gates if g.by == column]
        names = list(dict.fromkeys([*gated, *headlines(report.task, report.quantiles)]))[:4]
        parts = list(group)
        ends = [_ends([m for part in parts if (m := part.metric(name))]) for name in names]
        rows = []
        for part in parts:
            cells = tuple(_cell(part.metric(name), end) for name, end in zip(names, ends, strict=True))
            rows.append(SliceRow(part.label, f"{part.rows:,}", cells, not part.metrics))
        found.append(SliceTable(column, tuple(words(name)[0] for name in names), tuple(rows)))
    return tuple(found)


def paired_tables(comparison: Comparison, report: Report) -> tuple[PairedTable, ...]:
    """For each column both versions by the metric that a gate compares there, else by the headline one."""
    found = []
    for column, group in itertools.groupby(comparison.slices, key=lambda part: part.column):
        gated = [g.metric for g in report.gates if g.by == column and g.rule == "no_worse_than"]
        parts = list(group)
        for name in dict.fromkeys(gated or headlines(report.task, report.quantiles)[:1]):
            rows = tuple((part.label, f"{part.rows:,}", _pair(part.metric(name))) for part in parts)
            found.append(PairedTable(column, words(name)[0], rows))
    return tuple(found)


def searched(search: Search) -> SearchView:
    """What the look for weak slices found."""
    loss = _LOSSES.get(search.loss, search.loss)
    some = "feature or named column" if search.columns == 1 else "features and named columns"
    look = (
        f"Among {search.looked:,} slices by one or two of {search.columns:,} {some}, the "
        f"{search.candidates:,} with the highest {loss} on one random half of the rows were tried on the other. "
    )
    share = f"{100 * search.alpha:g} %"
    if search.note:
        summary = search.note
    elif not search.looked:
        summary = "No slice had rows enough to be looked at."
    elif not search.found:
        summary = look + "None held up: nothing says that the model is weaker anywhere than elsewhere."
    else:
        held = "One" if len(search.found) == 1 else f"{len(search.found)}"
        summary = look + (
            f"{held} held up. Where nothing is weak, so much as one is reported in at most {share} of reports."
        )
    rows = tuple(
        WeakRow(
            where=tuple((c.column, c.label) for c in weak.where),
            rows=f"{weak.rows:,}",
            loss=number(weak.loss),
            elsewhere=number(weak.loss_elsewhere),
            wrong=""
            if weak.wrong is None or weak.wrong_elsewhere is None
            else f"{100 * weak.wrong:.1f}\u202f% / {100 * weak.wrong_elsewhere:.1f}\u202f%",
            p="< 0.001" if weak.p < 0.001 else f"{weak.p:.3f}",
        )
        for weak in search.found
    )
    return SearchView(summary, loss, rows, any(row.wrong for row in rows))


def _ends(metrics: list[Metric]) -> tuple[float, float]:
    return min((m.low for m in metrics), default=0.0), max((m.high for m in metrics), default=1.0)


def _cell(metric: Metric | None, ends: tuple[float, float]) -> SliceCell | None:
    if metric is None:
        return None
    way = (ends[1] - ends[0]) or 1.0
    value, low, high = (100 * (v - ends[0]) / way for v in (metric.value, metric.low, metric.high))
    return SliceCell(number(metric.value), number(metric.low), number(metric.high), (value, low, high))


def _pair(metric: PairedMetric | None) -> PairedRow | None:
    return None if metric is None else paired_row(metric)
