"""Figures of a column as people read them: numbers short, days and times as such."""

from __future__ import annotations

import datetime as dt
import math

from modelyard.records.datareport import Bar, ColumnReport
from modelyard.records.schema import Kind

MINUS = "\u2212"
_STEPS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def figure(value: float | None, kind: Kind) -> str:
    """A value of a column: four digits, a day, or a moment; a dash for none."""
    if value is None:
        return "\u2013"
    if kind in ("date", "datetime"):
        return _moment(value, kind)
    return plain(value)


def plain(value: float) -> str:
    """Four significant digits, thousands apart, large and tiny ones with their power of ten."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size >= 1e7 or size < 1e-4):
        text = f"{value:.3g}"
    elif value == int(value) or size >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", MINUS)


def spread(column: ColumnReport) -> str:
    """The standard deviation in the column's own unit; of days and times as a span."""
    if column.sd is None:
        return "\u2013"
    if column.kind not in ("date", "datetime"):
        return plain(column.sd)
    days = column.sd if column.kind == "date" else column.sd / 86_400_000_000
    return f"{plain(float(f'{days:.3g}'))} days" if days >= 1 else f"{days * 24:.3g} hours"


def share(part: float, whole: float) -> str:
    """Per cent; what is there is never shown as none, nor what lacks something as all."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == int(percent) else f"{percent:.1f} %"


def distinct(column: ColumnReport) -> str:
    """How many distinct values; with a plus when there are at least so many."""
    return f"{column.distinct:,}{'+' if column.distinct_is_least else ''}"


def between(bar: Bar, kind: Kind) -> str:
    """What a bar stands for."""
    if bar.low is None:
        return bar.label
    if bar.low == bar.high:
        return figure(bar.low, kind)
    if kind in ("integer", "date") and bar.high is not None:  # such bars lie between the values
        low, high = math.ceil(bar.low), math.floor(bar.high)
        return figure(low, kind) if low == high else f"{figure(low, kind)} to {figure(high, kind)}"
    return f"{figure(bar.low, kind)} to {figure(bar.high, kind)}"


def sparkline(column: ColumnReport) -> str:
    """The bars of numbers as one line of a terminal, twelve at most; of labels the most frequent two."""
    if not column.bars:
        return ""
    if column.bars[0].low is None:
        if column.bars[0].rows == 1:
            return "all different"
        total = column.rows - column.missing
        return ", ".join(f"{bar.label[:16]} {share(bar.rows, total)}" for bar in column.bars[:2])
    rows = [bar.rows for bar in column.bars]
    if len(rows) > 12:
        rows = [sum(rows[at : at + 2]) for at in range(0, len(rows), 2)]
    most = max(rows) or 1
    return "".join(_STEPS[min(7, 8 * n // most)] if n else " " for n in rows)


def _moment(value: float, kind: Kind) -> str:
    try:
        if kind == "date":
            return (dt.date(1970, 1, 1) + dt.timedelta(days=value)).isoformat()
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=value)
    except OverflowError:
        return plain(value)
    return f"{moment:%Y-%m-%d %H:%M}" if moment.time() != dt.time() else f"{moment:%Y-%m-%d}"
