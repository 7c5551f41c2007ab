"""Windows of monitoring as pages that open anywhere, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelyard.records.finding import Finding, WindowReport
from modelyard.records.window import ExaminedWindow
from modelyard.render import html, markdown
from modelyard.render.figures import plain

CHARTS = 12
"""Alerts that are drawn before and after."""
COURSES = 20
"""Columns whose course is drawn: those that alerted, then those that differ most."""
_LISTED = 30
"""Windows that are listed one by one, the newest."""
_WIDE = ("The course of it",)


def page(report: WindowReport, history: Sequence[ExaminedWindow] = ()) -> str:
    """One window in full, and the windows before it; ``history`` is in any order."""
    past = in_order(history)
    return html.page(
        "monitor.html",
        report=report,
        window=span(report),
        alerts=[(finding, _drawing(finding, at)) for at, finding in enumerate(report.alerts)],
        rows=[_row(finding) for finding in _sorted(report)],
        verdict=verdict(report),
        course=_course(past),
        past=[_line(window) for window in reversed(past[-_LISTED:])],
        windows=len(past),
        percent=_percent,
    )


def text(report: WindowReport, history: Sequence[ExaminedWindow] = ()) -> str:
    """GitHub-flavoured Markdown."""
    past = in_order(history)
    return markdown.page(
        "monitor.md",
        report=report,
        window=span(report),
        verdict=verdict(report),
        rows=[_row(finding) for finding in _sorted(report)],
        past=[_line(window) for window in reversed(past[-_LISTED:])],
    )


def verdict(report: WindowReport) -> str:
    """One sentence."""
    if report.note and not report.alerts:
        return report.note
    tested = sum(finding.p_value is not None for finding in report.findings)
    if not report.alerts:
        return f"No alert among {tested} tests over {report.rows:,} predictions."
    names = list(dict.fromkeys(a.column or a.kind.replace("_", " ") for a in report.alerts))
    told = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    alerts = "1 alert" if len(report.alerts) == 1 else f"{len(report.alerts)} alerts"
    return f"{alerts} over {report.rows:,} predictions: {told}."


def span(report: WindowReport) -> str:
    """``2026-11-20 00:00 to 2026-11-21 00:00 UTC``."""
    return f"{report.start:%Y-%m-%d %H:%M:%S} to {report.end:%Y-%m-%d %H:%M:%S} UTC"


def in_order(history: Sequence[ExaminedWindow]) -> list[ExaminedWindow]:
    """By their end, those of one end by version."""
    return sorted(history, key=lambda window: (window.end, window.version))


def _sorted(report: WindowReport) -> list[Finding]:
    return sorted(report.findings, key=lambda f: (not f.alert, -f.effect))


def _row(finding: Finding) -> tuple[str, ...]:
    """Verdict, column, kind, statistic, value, p, corrected, effect, rows of reference and window."""
    p, corrected = (_p(value) for value in (finding.p_value, finding.p_corrected))
    kind = finding.kind.replace("_", " ")
    interval = (
        "" if finding.interval is None else f" [{plain(finding.interval[0])}, {plain(finding.interval[1])}]"
    )
    return (
        "alert" if finding.alert else "",
        finding.column or "\u2013",
        f"{kind} in {finding.slice}" if finding.slice else kind,
        finding.statistic.replace("_", " "),
        plain(finding.value) + interval,
        p,
        corrected,
        f"{finding.effect:.3f} {finding.effect_name}",
        f"{finding.reference_rows:,}",
        f"{finding.window_rows:,}",
    )


def _p(value: float | None) -> str:
    if value is None:
        return "\u2013"
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _drawing(finding: Finding, at: int) -> Markup | None:
    if not finding.details or at >= CHARTS:
        return None
    from modelyard.render import window_charts  # Altair takes half a second to import

    of_rows = finding.kind == "multivariate_drift"
    draw = window_charts.drivers if of_rows else window_charts.before_and_after
    return Markup(draw(finding, at))


def _course(past: Sequence[ExaminedWindow]) -> list[tuple[str, str, Markup]]:
    """Title, what to look for, SVG."""
    if len(past) < 2:
        return []
    from modelyard.render import window_charts

    series = _telling(past)
    names = [
        f"{column or kind.replace('_', ' ')}{f' in {part}' if part else ''}" for kind, column, part in series
    ]
    twice = {name for name in names if names.count(name) > 1}
    names = [
        f"{n} ({s[0].replace('_', ' ')})" if n in twice else n for n, s in zip(names, series, strict=True)
    ]
    drawn = []
    if series:
        drawn.append(
            (
                "The course of it",
                "Effects window by window, darker where a column differs more from what the model learnt from; "
                "a frame is an alert.",
                Markup(window_charts.course(past, series, names)),
            )
        )
    drawn.append(("Traffic", "Predictions in each window.", Markup(window_charts.volume(past))))
    return drawn


def _telling(past: Sequence[ExaminedWindow]) -> list[tuple[str, str, str]]:
    """Those that alerted oftenest, then those that differ most, at most ``COURSES``."""
    alerts: dict[tuple[str, str, str], int] = {}
    most: dict[tuple[str, str, str], float] = {}
    for window in past:
        for brief in window.findings:
            key = (brief.kind, brief.column, brief.slice)
            alerts[key] = alerts.get(key, 0) + brief.alert
            most[key] = max(most.get(key, 0.0), brief.effect)
    return sorted(most, key=lambda key: (-alerts[key], -most[key], key))[:COURSES]


def _line(window: ExaminedWindow) -> tuple[str, ...]:
    """Begin, end, version, rows, alerts, what alerted."""
    names = list(dict.fromkeys(b.column or b.kind.replace("_", " ") for b in window.alerts))
    return (
        f"{window.start:%Y-%m-%d %H:%M}",
        f"{window.end:%Y-%m-%d %H:%M}",
        f"{window.model}@{window.version}",
        f"{window.rows:,}",
        f"{len(window.alerts)}" if window.judged else "not judged",
        ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else ""),
    )


def _percent(value: float) -> str:
    return f"{value:.1%}"
