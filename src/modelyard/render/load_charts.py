"""The charts of a load test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from modelyard.records.load import Figures
from modelyard.render.charts import ACCENT, MUTED, SIDE, svg


def spread(points: Sequence[tuple[float, float]]) -> str:
    """Latency by percentile, the axis stretched towards all requests as people plan for them."""
    rows = [{"x": 1 / (1 - share), "y": 1e3 * value} for share, value in points]
    ticks = [v for v in (2, 10, 100, 1000, 10_000) if v <= max(row["x"] for row in rows)]
    named = (
        "datum.value == 2 ? '50 %' : datum.value == 10 ? '90 %' : datum.value == 100 ? '99 %' : "
        "datum.value == 1000 ? '99.9 %' : '99.99 %'"
    )
    x = alt.X(
        "x:Q",
        title="Share of requests",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(values=ticks, labelExpr=named),
    )
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).mark_line().encode(x=x, y=_latency("y"))
    said = ", ".join(f"{share:.4g} within {1e3 * value:.3g} ms" for share, value in points[::10])
    return svg(plot, "spread", f"Latency by share of requests: {said}.")


def course(seconds: Sequence[Figures]) -> str:
    """The median and the 99th percentile of each second."""
    lines = []
    for name, color in (("p99", ACCENT), ("p50", MUTED)):
        rows = [{"x": s.level, "y": 1e3 * value} for s in seconds if (value := getattr(s, name)) is not None]
        lines.append(_line(rows, _latency("y"), color))
    last = seconds[-1]
    return svg(lines[0] + lines[1], "course", f"Latency over {last.level:.0f} seconds.")


def rates(seconds: Sequence[Figures]) -> str:
    """Answers in each second."""
    rows = [{"x": s.level, "y": s.rate} for s in seconds]
    y = alt.Y("y:Q", title="Answers a second", axis=alt.Axis(tickCount=5, format="~s"))
    most = max(s.rate for s in seconds)
    return svg(_line(rows, y, ACCENT), "rates", f"Answers a second, up to {most:,.0f}.")


def levels(found: Sequence[Figures]) -> str:
    """The 99th percentile of each level by its rate."""
    rows = [{"x": level.rate, "y": 1e3 * level.p99} for level in found if level.p99 is not None]
    x = alt.X("x:Q", title="Answers a second", axis=alt.Axis(tickCount=5, format="~s"))
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE)
    line = plot.mark_line(point={"filled": True, "fill": ACCENT, "size": 60}).encode(x=x, y=_latency("y"))
    return svg(line, "levels", "99th percentile by load.")


def _latency(name: str) -> Any:
    scale = alt.Scale(zero=True, nice=True)
    return alt.Y(f"{name}:Q", title="Milliseconds", scale=scale, axis=alt.Axis(tickCount=5, format="~s"))


def _line(rows: list[dict[str, float]], y: Any, color: str) -> Any:
    x = alt.X("x:Q", title="Second of the test", axis=alt.Axis(tickCount=6))
    return alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).mark_line(stroke=color).encode(x=x, y=y)
