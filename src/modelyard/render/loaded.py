"""A load test as a page that opens anywhere."""

from __future__ import annotations

from markupsafe import Markup

from modelyard.records.load import Figures, LoadTest
from modelyard.render import html

_SPREAD = ("Latency by share of requests", "How long the slowest take, closer and closer to all of them.")
_COURSE = ("Second by second", "What was due in each second: the 50th and, above it, the 99th percentile.")
_RATES = ("Answers a second", "Through the whole test.")
_LEVELS = ("Latency by load", "99th percentile against what was answered; a bend upwards is the limit.")


def page(found: LoadTest) -> str:
    """Verdict, figures by level, how latencies spread and how they went second by second."""
    from modelyard.render import load_charts  # Altair takes half a second to import

    drawn: list[tuple[str, str, str]] = []
    if found.spread:
        drawn.append((*_SPREAD, load_charts.spread(found.spread)))
    if len(found.course) > 1:
        drawn.append((*_COURSE, load_charts.course(found.course)))
        drawn.append((*_RATES, load_charts.rates(found.course)))
    if len(found.levels) > 1:
        drawn.append((*_LEVELS, load_charts.levels(found.levels)))
    return html.page(
        "load.html",
        test=found,
        last=found.levels[-1],
        rows=[_row(level, found) for level in found.levels],
        charts=[(title, text, Markup(svg)) for title, text, svg in drawn],
        milliseconds=milliseconds,
    )


def milliseconds(seconds: float | None) -> str:
    """``12.3 ms``, or that so many were not answered."""
    if seconds is None:
        return "not answered"
    return f"{1e3 * seconds:,.0f} ms" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def _row(level: Figures, found: LoadTest) -> list[str]:
    unit = "users" if found.load.model == "closed" else "requests/s"
    return [
        f"{level.level:,.0f} {unit}",
        f"{level.rate:,.0f}/s",
        *(milliseconds(value) for value in (level.p50, level.p90, level.p99, level.p999, level.slowest)),
        f"{level.failed:.2%}",
    ]
