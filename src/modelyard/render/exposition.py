"""Findings as Prometheus reads them: one file for its node exporter, or one answer to a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelyard.records.finding import Finding, WindowReport

Line = tuple[dict[str, str], float]


def exposition(reports: Iterable[WindowReport], project: str) -> str:
    """The newest window of each model and version, as text format 0.0.4."""
    newest: dict[tuple[str, str, int], WindowReport] = {}
    for report in sorted(reports, key=lambda each: each.end):
        newest[report.environment, report.model, report.version] = report
    shown = list(newest.values())
    each = [(report, finding) for report in shown for finding in report.findings]
    groups: list[tuple[str, str, Iterable[Line]]] = [
        ("finding_value", "The statistic of a finding.", ((_labels(r, f), f.value) for r, f in each)),
        ("finding_effect", "Its effect.", ((_labels(r, f), f.effect) for r, f in each)),
        (
            "finding_p_value",
            "Its p-value, corrected over all tests of the window.",
            ((_labels(r, f), f.p_corrected) for r, f in each if f.p_corrected is not None),
        ),
        ("finding_alert", "1 where it alerts.", ((_labels(r, f), float(f.alert)) for r, f in each)),
        ("window_predictions", "Predictions in the window.", ((_model(r), float(r.rows)) for r in shown)),
        (
            "window_judged",
            "0 where there were too few of them to judge.",
            ((_model(r), float(not r.note)) for r in shown),
        ),
        ("window_alerts", "Findings that alert.", ((_model(r), float(len(r.alerts))) for r in shown)),
        (
            "window_end_timestamp_seconds",
            "When the window ended.",
            ((_model(r), r.end.timestamp()) for r in shown),
        ),
    ]
    return "".join(
        line for name, text, lines in groups for line in _group(f"modelyard_{name}", text, project, lines)
    )


def _group(name: str, text: str, project: str, lines: Iterable[Line]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for own, value in lines:
        labels = {"project": project, **own}
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{{{inside}}} {value!r}\n"


def _model(report: WindowReport) -> dict[str, str]:
    return {"environment": report.environment, "model": report.model, "version": str(report.version)}


def _labels(report: WindowReport, finding: Finding) -> dict[str, str]:
    return {
        **_model(report),
        "kind": finding.kind,
        "family": finding.family,
        "column": finding.column,
        "slice": finding.slice,
        "statistic": finding.statistic,
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
