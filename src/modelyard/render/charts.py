"""Charts of a report as SVG, drawn without a browser or network, in colours that the page sets.

Altair describes a chart, vl-convert draws it. The house's colours are placeholders that become CSS
variables of the page (``--ink``, ``--accent``, ...), so that one drawing serves light and dark.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from modelyard.records.decision import Costs
from modelyard.records.explanation import Dependence, FeatureResiduals
from modelyard.records.learning import LearningPoint
from modelyard.records.report import Curve

INK, MUTED, _LINE, ACCENT, PAPER = "#101112", "#202122", "#303132", "#404142", "#505152"
_VARIABLES = {INK: "--ink", MUTED: "--muted", _LINE: "--line", ACCENT: "--accent", PAPER: "--surface"}
SIDE = 320
_FONT = "Helvetica, Arial, sans-serif"
_AXIS = {
    "domain": False,
    "ticks": False,
    "grid": True,
    "gridColor": _LINE,
    "gridWidth": 1,
    "labelColor": MUTED,
    "labelFont": _FONT,
    "labelFontSize": 12,
    "labelPadding": 8,
    "titleColor": MUTED,
    "titleFont": _FONT,
    "titleFontSize": 12.5,
    "titleFontWeight": "normal",
    "titlePadding": 12,
}
_THEME: dict[str, Any] = {
    "aria": False,
    "background": None,
    "padding": 4,
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisBand": {"grid": False},
    "line": {"stroke": ACCENT, "strokeWidth": 2.25, "strokeJoin": "round"},
    "rule": {"stroke": MUTED, "strokeWidth": 1, "strokeDash": [3, 4]},
    "text": {"font": _FONT, "fontSize": 12, "fill": MUTED},
}


def roc(curve: Curve, area: str) -> str:
    """True against false positive rate, with the line of guessing; ``area`` is written into it."""
    chart = diagonal() + _stepless(curve, "False positive rate", "True positive rate", area and f"AUC {area}")
    return svg(chart, "roc", f"ROC curve, area {area}.")


def precision_recall(curve: Curve, average: str, share: float) -> str:
    """Precision against recall; the dashed line is the positives' share, what guessing reaches."""
    base = _rule([{"x": 0, "y": share}, {"x": 1, "y": share}])
    chart = base + _stepless(curve, "Recall", "Precision", average and f"AP {average}")
    return svg(chart, "pr", f"Precision-recall curve, average precision {average}.")


def calibration(curve: Curve) -> str:
    """Observed share against stated probability, dots as large as their rows are many."""
    rows = [{"x": x, "y": y, "n": n} for x, y, n in zip(curve.x, curve.y, curve.counts, strict=True)]
    plot = alt.Chart(alt.Data(values=rows))
    x, y = axes("Stated probability", "Observed share", unit=True)
    line = plot.mark_line(opacity=0.55).encode(x=x, y=y)
    size = alt.Size("n:Q", scale=alt.Scale(type="sqrt", range=[36, 420]), legend=None)
    dots = plot.mark_circle(color=ACCENT, opacity=1, stroke=PAPER, strokeWidth=1.5).encode(
        x=x, y=y, size=size
    )
    described = ", ".join(f"{x:.2f} stated {y:.2f} observed" for x, y in zip(curve.x, curve.y, strict=True))
    return svg(diagonal() + line + dots, "calibration", f"Calibration curve: {described}.")


def costs(found: Costs) -> str:
    """Mean cost a row by threshold; the dashed line is the threshold that follows from the prices."""
    rows = [{"x": x, "y": y} for x, y in zip(found.thresholds, found.costs, strict=True)]
    top = max(max(found.costs), 1e-9)
    across, _ = axes("Threshold", "", unit=True)
    up = alt.Y(
        "y:Q", title="Cost a row", scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickCount=5, format=".3~g")
    )
    line = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).mark_line().encode(x=across, y=up)
    rule = _rule([{"x": found.threshold, "y": 0}, {"x": found.threshold, "y": top}])
    return svg(rule + line, "costs", f"Mean cost by threshold, from {found.costs[0]:.3g} at 0.")


def dependence(found: Dependence, at: int, outcome: str, ends: tuple[float, float]) -> str:
    """The mean answer by a feature's value; ``ends`` are those of all drawings beside it."""
    up = alt.Y(
        "y:Q",
        title=outcome,
        scale=alt.Scale(domain=list(ends), nice=True, zero=False),
        axis=alt.Axis(tickCount=4, format=".3~g"),
    )
    if found.labels:
        named = {str(i): label[:18] for i, label in enumerate(found.labels)}
        rows: list[dict[str, Any]] = [{"x": str(i), "y": y} for i, y in enumerate(found.answers)]
        text = "{" + ",".join(f"{js(k)}:{js(v)}" for k, v in named.items()) + "}[datum.value]"
        across = alt.X(
            "x:N", title=None, sort=list(named), axis=alt.Axis(labelExpr=text, labelAngle=-35, grid=False)
        )
        plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=200)
        chart = plot.mark_circle(color=ACCENT, size=90, opacity=1).encode(x=across, y=up)
    else:
        rows = [{"x": x, "y": y} for x, y in zip(found.values, found.answers, strict=True)]
        scale = alt.Scale(zero=False, nice=False)
        across = alt.X("x:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format="~s"))
        chart = alt.Chart(alt.Data(values=rows), width=SIDE, height=200).mark_line().encode(x=across, y=up)
    return svg(chart, f"dependence{at}", f"{outcome} by {found.column}.")


def predicted_and_true(residuals: Curve) -> str:
    """True values against predicted ones; the dashed line is where both agree."""
    rows = [{"x": x, "y": x + y} for x, y in zip(residuals.x, residuals.y, strict=True)]
    ends = [min(min(r["x"], r["y"]) for r in rows), max(max(r["x"], r["y"]) for r in rows)]
    chart = _rule([{"x": end, "y": end} for end in ends]) + _dots(rows, "Predicted", "True")
    return svg(chart, "fit", f"True against predicted values of {len(rows)} test rows.")


def residuals(curve: Curve) -> str:
    """Truth less prediction against prediction; a good model leaves no shape."""
    rows = [{"x": x, "y": y} for x, y in zip(curve.x, curve.y, strict=True)]
    ends = [{"x": min(curve.x), "y": 0.0}, {"x": max(curve.x), "y": 0.0}]
    chart = _rule(ends) + _dots(rows, "Predicted", "True \u2212 predicted")
    return svg(chart, "residuals", f"Residuals against predictions of {len(rows)} test rows.")


def normal(curve: Curve) -> str:
    """Residuals against what a normal distribution would have in their places."""
    rows = [{"x": x, "y": y} for x, y in zip(curve.x, curve.y, strict=True)]
    ends = [{"x": end, "y": end} for end in (min(curve.x), max(curve.x))]
    chart = _rule(ends) + _dots(rows, "Normal quantile", "Residual, in standard deviations")
    return svg(chart, "qq", f"Residuals against normal quantiles, {len(rows)} points.")


def levels(curve: Curve) -> str:
    """The share of truths at or below each quantile, with its interval, against the level."""
    rows = [
        {"x": x, "y": y, "low": low, "high": high}
        for x, y, low, high in zip(curve.x, curve.y, curve.low, curve.high, strict=True)
    ]
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE)
    x, y = axes("Level", "Share of true values at or below", unit=True)
    bars = plot.mark_rule(stroke=ACCENT, strokeWidth=2.25, strokeDash=[1, 0]).encode(
        x=x, y="low:Q", y2="high:Q"
    )
    dots = plot.mark_circle(color=ACCENT, opacity=1, size=90, stroke=PAPER, strokeWidth=1.5).encode(x=x, y=y)
    described = ", ".join(f"{a:g} has {b:.3f}" for a, b in zip(curve.x, curve.y, strict=True))
    return svg(diagonal() + bars + dots, "levels", f"Observed share by level: {described}.")


def fan(curve: Curve) -> str:
    """True values on the interval from the lowest quantile to the highest, rows by rising prediction."""
    told = zip(curve.x, curve.y, curve.low, curve.high, strict=True)
    rows = [
        {"at": at, "x": x, "y": y, "low": low, "high": high, "out": not low <= y <= high}
        for at, (x, y, low, high) in enumerate(told, start=1)
    ]
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X(
        "at:Q", title="Rows, by rising prediction", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5)
    )
    y = alt.Y("y:Q", title="Value", scale=scale, axis=alt.Axis(tickCount=5, format="~s"))
    plot = alt.Chart(alt.Data(values=rows), width=2 * SIDE, height=SIDE)
    band = plot.mark_area(color=ACCENT, opacity=0.18).encode(
        x=x, y=alt.Y("low:Q", title="Value", scale=scale), y2="high:Q"
    )
    line = plot.mark_line(strokeWidth=1.5).encode(x=x, y=alt.Y("x:Q", scale=scale))
    colour = alt.condition("datum.out", alt.value(INK), alt.value(ACCENT))
    dots = plot.mark_circle(size=30, opacity=0.85).encode(x=x, y=y, color=colour)
    out = sum(bool(row["out"]) for row in rows)
    return svg(
        band + line + dots, "fan", f"{len(rows)} true values on their intervals, {out} of them outside."
    )


def leaning(found: FeatureResiduals, at: int, ends: tuple[float, float]) -> str:
    """The mean residual in each cell of a feature, with its interval; ``ends`` are those of all drawings beside it."""
    told = zip(found.means, found.lows, found.highs, strict=True)
    rows: list[dict[str, Any]] = [
        {"x": str(i), "y": y, "low": low, "high": high} for i, (y, low, high) in enumerate(told)
    ]
    named = (
        "{"
        + ",".join(f"{js(str(i))}:{js(label[:22])}" for i, label in enumerate(found.labels))
        + "}[datum.value]"
    )
    axis = alt.Axis(labelExpr=named, labelAngle=-35, grid=False)
    x = alt.X("x:N", title=None, sort=[row["x"] for row in rows], axis=axis)
    scale = alt.Scale(domain=list(ends), nice=True)
    y = alt.Y("y:Q", title="True \u2212 predicted", scale=scale, axis=alt.Axis(tickCount=4, format=".3~g"))
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=200)
    zero = alt.Chart(alt.Data(values=[{"y": 0}]), width=SIDE, height=200).mark_rule().encode(y="y:Q")
    bars = plot.mark_rule(stroke=ACCENT, strokeWidth=2.25, strokeDash=[1, 0]).encode(
        x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q"
    )
    dots = plot.mark_circle(color=ACCENT, size=90, opacity=1).encode(x=x, y=y)
    return svg(zero + bars + dots, f"leaning{at}", f"Mean residual by {found.column}.")


def learning(points: Sequence[LearningPoint], metric: str) -> str:
    """The metric on held-out folds by the rows learnt from, the mean and the folds' ends."""
    rows = [{"x": p.rows, "y": p.value, "low": min(p.folds), "high": max(p.folds)} for p in points]
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X(
        "x:Q", title="Rows learnt from", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5, format="~s")
    )
    y = alt.Y("y:Q", title=metric, scale=scale, axis=alt.Axis(tickCount=5, format=".3~g"))
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE)
    band = plot.mark_area(color=ACCENT, opacity=0.18).encode(
        x=x, y=alt.Y("low:Q", title=metric, scale=scale), y2="high:Q"
    )
    line = plot.mark_line(point={"filled": True, "fill": ACCENT, "size": 60}).encode(x=x, y=y)
    described = ", ".join(f"{p.rows} rows {p.value:.4g}" for p in points)
    return svg(band + line, "learning", f"Learning curve: {described}.")


def heatmap(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """A confusion matrix of many classes: the darker, the larger the share of its true class."""
    order = [f"{i}" for i in range(len(classes))]
    rows = [
        {"t": f"{i}", "p": f"{j}", "share": count / (sum(row) or 1)}
        for i, row in enumerate(confusion)
        for j, count in enumerate(row)
    ]
    side = max(360, min(760, 18 * len(classes)))
    names = {str(i): label[:24] for i, label in enumerate(classes)}
    label = "{" + ",".join(f"{js(k)}:{js(v)}" for k, v in names.items()) + "}[datum.value]"
    axis = alt.Axis(labelExpr=label, labelOverlap=True, labelFontSize=11)
    chart = (
        alt.Chart(alt.Data(values=rows), width=side, height=side)
        .mark_rect(color=ACCENT, stroke=PAPER, strokeWidth=1)
        .encode(
            x=alt.X("p:N", sort=order, title="Predicted", axis=axis),
            y=alt.Y("t:N", sort=order, title="True", axis=axis),
            opacity=alt.Opacity(
                "share:Q", scale=alt.Scale(domain=[0, 1], range=[0.06, 1], type="sqrt"), legend=None
            ),
        )
    )
    return svg(
        chart, "confusion", f"Confusion matrix of {len(classes)} classes, as shares of the true class."
    )


def axes(x: str, y: str, *, unit: bool) -> tuple[Any, Any]:
    """Axes from 0 to 1, or around the values."""
    scale = alt.Scale(domain=[0, 1]) if unit else alt.Scale(zero=False, nice=True)
    axis = (
        alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
        if unit
        else alt.Axis(tickCount=5, format="~s")
    )
    return alt.X("x:Q", title=x, scale=scale, axis=axis), alt.Y("y:Q", title=y, scale=scale, axis=axis)


def _stepless(curve: Curve, x: str, y: str, note: str) -> Any:
    rows = [{"x": a, "y": b, "i": i} for i, (a, b) in enumerate(zip(curve.x, curve.y, strict=True))]
    across, up = axes(x, y, unit=True)
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE).encode(x=across, y=up, order="i:Q")
    text = (
        alt.Chart(alt.Data(values=[{"x": 0.96, "y": 0.07}]))
        .mark_text(text=note, align="right", color=INK, fontSize=14, fontWeight=600)
        .encode(x=across, y=up)
    )
    return plot.mark_line() + text


def _dots(rows: list[dict[str, float]], x: str, y: str) -> Any:
    across, up = axes(x, y, unit=False)
    opacity = 0.75 if len(rows) <= 200 else 0.4
    plot = alt.Chart(alt.Data(values=rows), width=SIDE, height=SIDE)
    return plot.mark_circle(color=ACCENT, size=34, opacity=opacity).encode(x=across, y=up)


def diagonal() -> Any:
    """The dashed line from 0 to 1."""
    return _rule([{"x": 0, "y": 0}, {"x": 1, "y": 1}])


def _rule(points: list[dict[str, float]]) -> Any:
    plot = alt.Chart(alt.Data(values=points), width=SIDE, height=SIDE)
    return plot.mark_line(stroke=MUTED, strokeWidth=1, strokeDash=[3, 4]).encode(x="x:Q", y="y:Q")


def svg(chart: Any, name: str, description: str) -> str:
    """Drawn and made fit for a page: variables for colours, ids of its own, a description."""
    spec = chart.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, config=_THEME, allowed_base_urls=[])
    for placeholder, variable in _VARIABLES.items():
        svg = svg.replace(placeholder, f"var({variable})")
    svg = svg.replace(_FONT, "inherit")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(description)}" ', 1)


def js(text: str) -> str:
    """A string of Vega's expression language, whatever is in the text."""
    return (
        '"'
        + "".join(c if c.isalnum() and ord(c) < 128 else f"\\u{u:04x}" for c in text for u in _units(c))
        + '"'
    )


def _units(character: str) -> list[int]:
    coded = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(coded[i : i + 2], "big") for i in range(0, len(coded), 2)]
