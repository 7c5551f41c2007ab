"""Charts of two models, drawn into one another or side by side, as ``charts`` draws those of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from modelyard.records.contrast import Contrast, Series, Trained
from modelyard.records.report import Curve
from modelyard.render.charts import ACCENT, MUTED, SIDE, axes, diagonal, js, svg

_SERIES = 8
"""Logged metrics that are drawn."""


@dataclass(frozen=True)
class Drawing:
    name: str
    """For a file."""
    title: str
    text: str
    svg: str
    wide: bool = False


def drawings(one: Contrast) -> list[Drawing]:
    """What can be drawn of both."""
    if one.before is None or one.after is None or one.same:
        return []
    old, new = one.before, one.after
    found = [_curves(old, new, *words) for words in _UNIT]
    found += [_residuals(old, new), *(_series(old, new, s, at) for at, s in enumerate(one.series[:_SERIES]))]
    return [drawing for drawing in found if drawing is not None]


_UNIT = (
    ("roc", "ROC curve", "False positive rate", "True positive rate", "The dashed line is guessing."),
    ("precision_recall", "Precision and recall", "Recall", "Precision", "How many of the alarms are right."),
    (
        "calibration",
        "Calibration",
        "Stated probability",
        "Observed share",
        "On the dashed line a probability means what it says.",
    ),
)


def _curves(old: Trained, new: Trained, name: str, title: str, x: str, y: str, text: str) -> Drawing | None:
    curves = [next((c for c in one.curves if c.name == name and c.x), None) for one in (old, new)]
    if not any(curves):
        return None
    rows = [
        {"x": a, "y": b, "i": i, "of": of}
        for of, curve in zip("ab", curves, strict=True)
        if curve
        for i, (a, b) in enumerate(zip(curve.x, curve.y, strict=True))
    ]
    across, up = axes(x, y, unit=True)
    chart = _lines(rows, across, up, old, new, points=name == "calibration")
    base = chart if name == "precision_recall" else diagonal() + chart
    return Drawing(name, title, text, svg(base, name, f"{title} of {old.ref} and {new.ref}."))


def _series(old: Trained, new: Trained, found: Series, at: int) -> Drawing:
    rows = [
        {"x": step, "y": value, "i": i, "of": of}
        for of, points in zip("ab", (found.before, found.after), strict=True)
        for i, (step, value) in enumerate(points)
    ]
    scale = alt.Scale(zero=False)
    across = alt.X("x:Q", title="Step", scale=scale, axis=alt.Axis(tickCount=5, format="~s"))
    up = alt.Y("y:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format=".4~g"))
    chart = _lines(rows, across, up, old, new, points=False)
    name = f"logged{at + 1}"
    return Drawing(
        name, found.metric, "As the trainings logged it.", svg(chart, name, f"{found.metric} by step.")
    )


def _lines(
    rows: list[dict[str, Any]], across: Any, up: Any, old: Trained, new: Trained, *, points: bool
) -> Any:
    names = alt.Scale(domain=["a", "b"], range=[MUTED, ACCENT])
    dashes = alt.Scale(domain=["a", "b"], range=[[6, 3], [1, 0]])
    label = f"datum.label == 'a' ? {js(old.ref)} : {js(new.ref)}"
    legend = alt.Legend(
        title=None,
        orient="top",
        labelExpr=label,
        labelLimit=220,
        labelColor=MUTED,
        labelFontSize=12,
        symbolType="stroke",
    )
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).encode(
        x=across,
        y=up,
        order="i:Q",
        stroke=alt.Stroke("of:N", scale=names, legend=legend),
        strokeDash=alt.StrokeDash("of:N", scale=dashes, legend=legend),
    )
    lines = plot.mark_line()
    if not points:
        return lines
    dots = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).mark_circle(size=50, opacity=1)
    return lines + dots.encode(x=across, y=up, fill=alt.Fill("of:N", scale=names, legend=None))


def _residuals(old: Trained, new: Trained) -> Drawing | None:
    curves = [next((c for c in one.curves if c.name == "residuals" and c.x), None) for one in (old, new)]
    if curves[0] is None or curves[1] is None:
        return None
    both = [curve for curve in curves if curve is not None]
    scales = [_scale([v for c in both for v in c.x]), _scale([v for c in both for v in c.y])]
    panels = [_dots(curve, one.ref, *scales) for curve, one in zip(both, (old, new), strict=True)]
    chart = alt.hconcat(*panels, spacing=36)
    text = "What is left over, true less predicted, on the same scales."
    return Drawing("residuals", "Residuals", text, svg(chart, "residuals", "Residuals of both."), wide=True)


def _scale(values: Sequence[float]) -> Any:
    return alt.Scale(domain=[min(values), max(values)], nice=True, zero=False)


def _dots(curve: Curve, title: str, across: Any, up: Any) -> Any:
    rows = [{"x": a, "y": b} for a, b in zip(curve.x, curve.y, strict=True)]
    axis = alt.Axis(tickCount=5, format="~s")
    return (
        alt.Chart(
            alt.Data(values=rows), width=SIDE, height=SIDE, title=alt.Title(title, color=MUTED, fontSize=13)
        )
        .mark_circle(color=ACCENT, size=34, opacity=0.6)
        .encode(
            x=alt.X("x:Q", title="Predicted", scale=across, axis=axis),
            y=alt.Y("y:Q", title="True \u2212 predicted", scale=up, axis=axis),
        )
    )
