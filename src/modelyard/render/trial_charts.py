"""Charts of a study, as ``charts`` draws those of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from modelyard.records.run import Trial
from modelyard.render.charts import ACCENT, SIDE, js, svg

MOST = 2000
"""Dots that are drawn; of more trials every n-th."""


def history(trials: Sequence[Trial], metric: str, *, higher: bool) -> str:
    """Values by number, and the best so far."""
    scored = [t for t in sorted(trials, key=lambda t: t.number) if t.value is not None]
    best: list[dict[str, Any]] = []
    for trial in scored:
        if trial.state == "complete" and trial.value is not None:
            before = best[-1]["y"] if best else trial.value
            best.append({"x": trial.number, "y": (max if higher else min)(before, trial.value)})
    dots = [{"x": t.number, "y": t.value, "whole": t.state == "complete"} for t in _thin(scored)]
    across = alt.X("x:Q", title="Trial", axis=alt.Axis(tickCount=5, tickMinStep=1, format="d"))
    up = alt.Y("y:Q", title=metric, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5, format=".4~g"))
    faint = alt.condition("datum.whole", alt.value(0.85), alt.value(0.25))
    plot = _chart(dots).mark_circle(color=ACCENT, size=40).encode(x=across, y=up, opacity=faint)
    line = _chart(best).mark_line(interpolate="step-after").encode(x=across, y=up)
    return svg(line + plot, "history", f"{metric} of {len(scored)} trials, the best {best[-1]['y']:.6g}.")


def importance(shares: Mapping[str, float]) -> str:
    """A bar for each parameter, the most important first."""
    names = list(shares)[:20]
    rows = [{"n": str(at), "share": shares[name]} for at, name in enumerate(names)]
    chart = alt.Chart(alt.Data(values=rows), width=SIDE, height=max(60, 28 * len(rows)))
    up = alt.Y("n:N", sort=[str(at) for at in range(len(names))], title=None, axis=_named(names))
    across = alt.X("share:Q", title="Share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    told = ", ".join(f"{name} {shares[name]:.2f}" for name in names)
    return svg(
        chart.mark_bar(color=ACCENT, height=14).encode(x=across, y=up), "mattered", f"Importance: {told}."
    )


def slice_of(trials: Sequence[Trial], name: str, at: int, metric: str) -> str:
    """Complete trials by one parameter; a scale is logarithmic where the values span three powers of ten."""
    found = _thin([t for t in trials if t.state == "complete" and name in t.params])
    values = [t.params[name] for t in found]
    up = alt.Y("y:Q", title=metric, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format=".4~g"))
    across: Any
    rows: list[dict[str, Any]]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        log = min(numbers) > 0 and max(numbers) / min(numbers) >= 1000
        scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
        across = alt.X("x:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format="~g"))
        rows = [{"x": v, "y": t.value} for v, t in zip(numbers, found, strict=True)]
    else:
        names = sorted({str(v) for v in values})
        across = alt.X("x:N", title=None, sort=[str(i) for i in range(len(names))], axis=_named(names))
        rows = [{"x": str(names.index(str(v))), "y": t.value} for v, t in zip(values, found, strict=True)]
    plot = _chart(rows, height=200).mark_circle(color=ACCENT, size=40, opacity=0.7)
    return svg(plot.encode(x=across, y=up), f"slice{at}", f"{metric} by {name}.")


def _chart(rows: list[dict[str, Any]], *, height: int = SIDE) -> Any:
    return alt.Chart(alt.Data(values=rows), width=SIDE, height=height)


def _named(names: Sequence[str]) -> Any:
    """An axis of places that reads the names."""
    label = "{" + ",".join(f"{js(str(i))}:{js(name[:24])}" for i, name in enumerate(names)) + "}[datum.value]"
    return alt.Axis(labelExpr=label, labelAngle=0, grid=False, labelLimit=160)


def _thin(trials: Sequence[Trial]) -> Sequence[Trial]:
    return trials[:: max(1, -(-len(trials) // MOST))]
