"""The charts of monitoring."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import altair as alt

from modelyard.records.finding import Finding
from modelyard.records.window import Brief, ExaminedWindow
from modelyard.render.charts import ACCENT, INK, MUTED, PAPER, SIDE, js, svg

Series = tuple[str, str, str]
"""Kind, column and slice of what is told of each window."""


def before_and_after(found: Finding, at: int) -> str:
    """The share of rows in each range or category, in the reference (grey) and in the window."""
    rows: list[dict[str, Any]] = [
        {"x": str(i), "y": value, "of": of}
        for i, part in enumerate(found.details)
        for of, value in (("a", part.reference), ("b", part.window))
    ]
    order = [str(i) for i in range(len(found.details))]
    labels = (
        "{"
        + ",".join(f"{js(str(i))}:{js(_short(p.name))}" for i, p in enumerate(found.details))
        + "}[datum.value]"
    )
    x = alt.X("x:N", title=None, sort=order, axis=alt.Axis(labelExpr=labels, labelAngle=-40, grid=False))
    y = alt.Y("y:Q", title="Share of rows", axis=alt.Axis(format="%", tickCount=4))
    bars = (
        alt.Chart(alt.Data(values=rows), width=max(SIDE, 40 * len(order)), height=200)
        .mark_bar(cornerRadiusEnd=1.5)
        .encode(
            x=x,
            y=y,
            xOffset="of:N",
            color=alt.Color("of:N", scale=alt.Scale(domain=["a", "b"], range=[MUTED, ACCENT]), legend=None),
            opacity=alt.Opacity("of:N", scale=alt.Scale(domain=["a", "b"], range=[0.45, 1]), legend=None),
        )
    )
    said = "; ".join(f"{p.name}: {p.reference:.1%} before, {p.window:.1%} now" for p in found.details)
    return svg(bars, f"parts{at}", f"{found.column}. {said}.")


def drivers(found: Finding, at: int) -> str:
    """Which columns a difference of whole rows is told by, as parts of it."""
    rows = [{"x": _short(part.name), "y": part.contribution} for part in found.details]
    x = alt.X("x:N", title=None, sort=[row["x"] for row in rows], axis=alt.Axis(labelAngle=-40, grid=False))
    y = alt.Y("y:Q", title="Part of the difference", axis=alt.Axis(format="%", tickCount=4))
    bars = alt.Chart(alt.Data(values=rows), width=SIDE, height=200).mark_bar(color=ACCENT).encode(x=x, y=y)
    said = "; ".join(f"{part.name}: {part.contribution:.0%}" for part in found.details)
    return svg(bars, f"drivers{at}", f"Columns that tell the rows apart. {said}.")


def course(windows: Sequence[ExaminedWindow], series: Sequence[Series], names: Sequence[str]) -> str:
    """Effects by window and column, darker where they are larger; a frame is an alert. Windows stand in order of time."""
    rows = [cell for window in windows for cell in _cells(window, series)]
    most = max((row["effect"] for row in rows), default=0.0) or 1.0
    labels = (
        "{" + ",".join(f"{js(str(i))}:{js(_short(name))}" for i, name in enumerate(names)) + "}[datum.value]"
    )
    ends = sorted({_stamp(window.end) for window in windows})
    shown = {ends[round(k * (len(ends) - 1) / 5)] for k in range(6)}
    across = alt.X(
        "x:O",
        title="Windows, by their end (UTC)",
        sort=ends,
        axis=alt.Axis(values=sorted(shown), labelAngle=0, labelExpr=_moments(sorted(shown)), grid=False),
    )
    up = alt.Y(
        "y:N",
        title=None,
        sort=[str(i) for i in range(len(series))],
        axis=alt.Axis(labelExpr=labels, labelLimit=220, grid=False),
    )
    plot = alt.Chart(alt.Data(values=rows), width=2 * SIDE, height=max(60, 22 * len(series)))
    tiles = plot.mark_rect(color=ACCENT, stroke=PAPER, strokeWidth=0.5).encode(
        x=across,
        y=up,
        opacity=alt.Opacity(
            "effect:Q", scale=alt.Scale(domain=[0, most], range=[0.04, 1], type="sqrt"), legend=None
        ),
    )
    alerts = (
        plot.transform_filter("datum.alert")
        .mark_rect(filled=False, stroke=INK, strokeWidth=1.4)
        .encode(x=across, y=up)
    )
    found = sum(bool(row["alert"]) for row in rows)
    return svg(tiles + alerts, "course", f"Effects in {len(windows)} windows, {found} alerts.")


def volume(windows: Sequence[ExaminedWindow]) -> str:
    """Predictions in each window."""
    rows = [{"x": window.end.isoformat(), "y": window.rows} for window in windows]
    x = alt.X(
        "x:T", title=None, axis=alt.Axis(tickCount=5, format="%d %b %H:%M"), scale=alt.Scale(type="utc")
    )
    y = alt.Y("y:Q", title="Predictions", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, format="~s"))
    line = alt.Chart(alt.Data(values=rows), width=2 * SIDE, height=130).mark_line().encode(x=x, y=y)
    return svg(line, "volume", f"Predictions in {len(windows)} windows.")


def _cells(window: ExaminedWindow, series: Sequence[Series]) -> list[dict[str, Any]]:
    by = {(b.kind, b.column, b.slice): b for b in window.findings}
    found: list[tuple[int, Brief]] = [(i, by[each]) for i, each in enumerate(series) if each in by]
    return [
        {"x": _stamp(window.end), "y": str(i), "effect": max(brief.effect, 0.0), "alert": brief.alert}
        for i, brief in found
    ]


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _moments(stamps: Sequence[str]) -> str:
    named = {stamp: dt.datetime.fromisoformat(stamp).strftime("%d %b %H:%M") for stamp in stamps}
    return "{" + ",".join(f"{js(k)}:{js(v)}" for k, v in named.items()) + "}[datum.value]"


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}\u2026"
