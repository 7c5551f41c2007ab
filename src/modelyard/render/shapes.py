"""Small drawings of counts as SVG in the page's own colours; drawn here, so that hundreds cost milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from modelyard.records.datareport import Bar, ColumnReport
from modelyard.render.figures import between, figure, plain, share

_WIDE, _HIGH = 320.0, 96.0
_CELL, _MARGIN, _ROOM = 34, 178, 166
NAME = 24
"""Longer names are cut in a drawing; the page has them in full beside it."""


def shape(column: ColumnReport, classes: Sequence[str], *, room: tuple[float, float] | None = None) -> Markup:
    """A histogram; with classes one outline each, as shares of the class.

    With the target's means a line above, drawn within ``room``, the least and the greatest mean to show.
    """
    drawn = column.bars
    described = f"Distribution of {column.name}, {plain(len(drawn))} bars"
    if classes and any(bar.classes for bar in drawn):
        inner = _outlines(drawn, len(classes))
        described += f", by {len(classes)} classes of the target"
    else:
        inner = _bars(drawn, column)
        if room is not None and any(bar.mean is not None for bar in drawn):
            inner += _line(drawn, *room)
            described += ", and the target's mean over it"
    return Markup(
        f'<svg class="shape" role="img" aria-label="{escape(described)}" viewBox="0 -4 {_WIDE:g} {_HIGH + 6:g}" '
        f'preserveAspectRatio="none">{inner}</svg>'
    )


def spark(column: ColumnReport) -> Markup:
    """The same without detail, for a line of a table."""
    if column.bars and column.bars[0].low is None and column.bars[0].rows == 1:
        return Markup()
    most = max((bar.rows for bar in column.bars), default=0) or 1
    step = 96 / max(len(column.bars), 1)
    parts = "".join(
        f'<rect x="{at * step:.2f}" y="{24 - _height(bar.rows, most, 24):.2f}" width="{max(step - 0.8, 0.5):.2f}" '
        f'height="{_height(bar.rows, most, 24):.2f}"/>'
        for at, bar in enumerate(column.bars)
    )
    return Markup(
        f'<svg class="spark" aria-hidden="true" viewBox="0 0 96 24" preserveAspectRatio="none">{parts}</svg>'
    )


def matrix(names: Sequence[str], values: Sequence[Sequence[float]]) -> Markup:
    """The lower triangle of correlations: blue goes up together, orange against one another."""
    size = len(names)
    wide, high = _MARGIN + size * _CELL, size * _CELL + 4
    parts = []
    for i, row in enumerate(values):
        y = i * _CELL
        cut = names[i] if len(names[i]) <= NAME else f"{names[i][: NAME - 1]}\u2026"
        held = f' textLength="{_ROOM}" lengthAdjust="spacingAndGlyphs"' if _width(cut) > _ROOM else ""
        parts.append(
            f'<text class="label" x="{_MARGIN - 12}" y="{y + 21}" text-anchor="end"{held}>{escape(_clean(cut))}</text>'
        )
        for j in range(i):
            parts.append(_cell(_MARGIN + j * _CELL, y, row[j], f"{names[i]} and {names[j]}"))
        x = _MARGIN + i * _CELL
        parts.append(f'<text class="number" x="{x + _CELL / 2}" y="{y + 21}">{i + 1}</text>')
    described = f"Rank correlations between {size} columns; the strongest pairs are listed below."
    return Markup(
        f'<svg class="matrix-of-ranks" role="img" aria-label="{described}" viewBox="0 0 {wide} {high}" '
        f'width="{wide}" height="{high}">{"".join(parts)}</svg>'
    )


def _width(label: str) -> float:
    """How wide it may be drawn, a little more rather than less: whose letters they are the reader's browser decides."""
    return sum(
        4.5 if letter in "ijl.,:;'|!() t" else 11.5 if letter.isupper() or letter in "mw%@" else 8.2
        for letter in label
    )


def _cell(x: int, y: int, value: float, names: str) -> str:
    side = "with" if value >= 0 else "against"
    strength = min(1.0, abs(value))
    text = ("1" if strength >= 0.995 else f"{strength:.2f}"[1:]) if strength >= 0.2 else ""
    label = f"{names}: {plain(round(value, 2))}"
    strong = " strong" if strength > 0.7 else ""
    return (
        f'<g class="{side}{strong}"><title>{escape(_clean(label))}</title>'
        f'<rect x="{x + 1}" y="{y + 1}" width="{_CELL - 2}" height="{_CELL - 2}" rx="4" '
        f'fill-opacity="{0.06 + 0.94 * strength**1.5:.3f}"/>'
        f'<text x="{x + _CELL / 2}" y="{y + 21}">{text}</text></g>'
    )


def _bars(drawn: Sequence[Bar], column: ColumnReport) -> str:
    most = max((bar.rows for bar in drawn), default=0) or 1
    step = _WIDE / max(len(drawn), 1)
    total = column.rows - column.missing
    parts = []
    for at, bar in enumerate(drawn):
        tall = _height(bar.rows, most, _HIGH)
        told = f"{between(bar, column.kind)}: {bar.rows:,} rows, {share(bar.rows, total)}"
        parts.append(
            f'<rect class="bar" x="{at * step:.2f}" y="{_HIGH - tall:.2f}" width="{max(step - 1.5, 0.6):.2f}" '
            f'height="{tall:.2f}"><title>{escape(_clean(told))}</title></rect>'
        )
    return "".join(parts)


def _outlines(drawn: Sequence[Bar], classes: int) -> str:
    totals = [sum(bar.classes[k] for bar in drawn if bar.classes) or 1 for k in range(classes)]
    shares = [[bar.classes[k] / totals[k] if bar.classes else 0.0 for bar in drawn] for k in range(classes)]
    most = max((max(row) for row in shares), default=0) or 1
    step = _WIDE / len(drawn)
    parts = []
    for k, row in enumerate(shares):
        points = [f"M0 {_HIGH:g}"]
        for at, part in enumerate(row):
            y = _HIGH * (1 - part / most)
            points.append(f"V{y:.1f}H{(at + 1) * step:.1f}")
        points.append(f"V{_HIGH:g}Z")
        parts.append(f'<path class="class k{k}" d="{"".join(points)}"/>')
    return "".join(parts)


def _line(drawn: Sequence[Bar], low: float, high: float) -> str:
    """The target's mean in each bar."""
    step = _WIDE / len(drawn)
    points = []
    for at, bar in enumerate(drawn):
        if bar.mean is not None:
            place = min(1.0, max(0.0, (bar.mean - low) / ((high - low) or 1.0)))
            points.append(f"{(at + 0.5) * step:.1f},{_HIGH * (0.98 - 0.96 * place):.1f}")
    return f'<polyline class="mean" points="{" ".join(points)}"/>'


def ends(column: ColumnReport) -> tuple[str, str]:
    """What stands below the left and the right end of a histogram."""
    first, last = column.bars[0], column.bars[-1]
    if column.undrawn or column.kind not in ("integer", "date"):
        return figure(first.low, column.kind), figure(last.high, column.kind)
    return figure(column.minimum, column.kind), figure(column.maximum, column.kind)


def _height(rows: int, most: int, room: float) -> float:
    """What is there is seen."""
    return max(1.0, room * rows / most) if rows else 0.0


def _clean(text: str) -> str:
    """Characters that no document may hold become spaces."""
    return "".join(c if c.isprintable() else " " for c in text)
