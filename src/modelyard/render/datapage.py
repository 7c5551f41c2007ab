"""A data report as one page: every figure as it is printed, drawn without a browser or network."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from modelyard.records.datareport import ColumnReport, DataReport
from modelyard.render import figures, shapes
from modelyard.render.html import page

CARDS = 60
"""Of a wider table the columns that tell most of the target have a card; the table lists all."""
_MEASURES = {
    "spearman": "rank correlation",
    "rank_biserial": "rank-biserial correlation",
    "correlation_ratio": "correlation ratio of ranks",
    "cramers_v": "Cram\u00e9r\u2019s V",
}


@dataclass(frozen=True)
class LabelRow:
    label: str
    rows: str
    share: str
    width: float
    """Per cent of the longest."""
    classes: tuple[tuple[int, float], ...]
    """Class and its per cent of this bar, where the target has classes."""


@dataclass(frozen=True)
class Line:
    """One column as the page shows it."""

    at: int
    column: ColumnReport
    missing: str
    gap: float
    """Per cent missing."""
    distinct: str
    mean: str
    sd: str
    least: str
    most: str
    quantiles: tuple[tuple[str, str], ...]
    relation: str
    strength: float
    """Per cent."""
    measure: str
    spark: Markup
    note: str
    shape: Markup | None = None
    ends: tuple[str, str] = ("", "")
    labels: tuple[LabelRow, ...] = ()


def data_report(record: DataReport) -> str:
    """The report as one self-contained page, light and dark, readable offline, on paper and on a phone."""
    lines = [_line(at, column) for at, column in enumerate(record.columns)]
    telling = sorted(lines, key=lambda line: (line.column.role != "target", -line.strength, line.at))[:CARDS]
    shown = {line.at for line in telling}
    in_order = sorted(telling, key=lambda line: (line.column.role != "target", line.at))
    cards = [_carded(line, record) for line in in_order]
    cells = record.rows * len(record.columns)
    return page(
        "data.html",
        report=record,
        lines=lines,
        cards=cards,
        carded=shown,
        rows=f"{record.rows:,}",
        columns=f"{len(record.columns):,}",
        held_back=figures.share(record.test_rows, record.rows),
        gaps=figures.share(sum(c.missing for c in record.columns), cells),
        gappy=sum(1 for c in record.columns if c.missing),
        created=record.created.strftime("%-d %B %Y, %H:%M UTC"),
        looked=f"{record.looked:,}" if record.looked < record.rows else "",
        balance=_balance(record),
        predicted=record.target or ", ".join(record.labels),
        spread=[(s.part, figures.plain(s.mean), figures.plain(s.sd)) for s in record.spread],
        matrix=shapes.matrix(record.related, record.correlations) if len(record.related) > 1 else None,
        pairs=[
            (p.a, p.b, f"{p.value:+.2f}".replace("-", figures.MINUS), 100 * abs(p.value))
            for p in record.pairs
        ],
    )


def _line(at: int, column: ColumnReport) -> Line:
    link = column.relation
    signed = link is not None and link.measure in ("spearman", "rank_biserial")
    value = "" if link is None else f"{link.value:+.2f}" if signed else f"{link.value:.2f}"
    return Line(
        at=at,
        column=column,
        missing=figures.share(column.missing, column.rows),
        gap=100 * column.missing / column.rows if column.rows else 0.0,
        distinct=figures.distinct(column),
        mean=figures.figure(column.mean, column.kind),
        sd=figures.spread(column),
        least=figures.figure(column.minimum, column.kind),
        most=figures.figure(column.maximum, column.kind),
        quantiles=tuple((name, figures.figure(q, column.kind)) for name, q in column.quantiles.items()),
        relation=value.replace("-", figures.MINUS),
        strength=100 * min(1.0, abs(link.value)) if link else 0.0,
        measure=_MEASURES[link.measure] if link else "",
        spark=shapes.spark(column),
        note=_note(column),
    )


def _note(column: ColumnReport) -> str:
    present = column.rows - column.missing
    if column.personal:
        return "personal: counted, and no value told"
    if not present:
        return "no value in any row"
    if column.distinct == 1 and not column.distinct_is_least and present > 1:
        return "the same value in every row" if not column.missing else "one value only"
    if column.kind == "string" and column.distinct == present > 1 and not column.distinct_is_least:
        return "different in every row"
    return ""


def _carded(line: Line, record: DataReport) -> Line:
    column = line.column
    values = {field: getattr(line, field) for field in line.__dataclass_fields__}
    if not column.bars or (column.bars[0].rows == 1 == column.bars[-1].rows and column.bars[0].low is None):
        return line
    if column.bars[0].low is None:
        return Line(**{**values, "labels": _labels(column)})
    classes = record.classes if column.role == "feature" else ()
    known = record.column(record.target).quantiles if record.spread and record.target else {}
    room = (known["5 %"], known["95 %"]) if known else None
    return Line(**{**values, "shape": shapes.shape(column, classes, room=room), "ends": shapes.ends(column)})


def _labels(column: ColumnReport) -> tuple[LabelRow, ...]:
    total = column.rows - column.missing
    most = max(bar.rows for bar in column.bars)
    rows = []
    for bar in column.bars:
        known = sum(bar.classes)
        parts = tuple((k, 100 * n / known) for k, n in enumerate(bar.classes) if n) if known else ()
        rows.append(
            LabelRow(
                label=bar.label,
                rows=f"{bar.rows:,}",
                share=figures.share(bar.rows, total),
                width=100 * bar.rows / most,
                classes=parts,
            )
        )
    return tuple(rows)


def _balance(record: DataReport) -> list[tuple[str, str, str, str, str, float, float]]:
    """Class or label, rows and share in train, rows and share in test, and both shares in per cent."""
    if record.labels:
        train, test = record.balance[0].train_rows, record.balance[0].test_rows
    else:
        train, test = (sum(getattr(b, part) for b in record.balance) for part in ("train", "test"))
    return [
        (
            b.label,
            f"{b.train:,}",
            figures.share(b.train, train),
            f"{b.test:,}",
            figures.share(b.test, test),
            100 * b.train / train if train else 0.0,
            100 * b.test / test if test else 0.0,
        )
        for b in record.balance
    ]
