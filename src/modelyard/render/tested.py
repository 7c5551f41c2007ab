"""A report on application tests as a page that opens anywhere."""

from __future__ import annotations

from modelyard.records.tested import ApplicationReport, TestKind
from modelyard.render import html
from modelyard.render.loaded import milliseconds

_MEANING: dict[TestKind, str] = {
    "integration": "Every protocol that the service speaks gives the answers that the package was sealed with.",
    "functional": "The golden predictions, all at once and row by row.",
    "acceptance": "What the model's author wrote down as requests and answers.",
    "robustness": "What is missing, extreme, malformed or was never seen is answered or refused, and never a failure.",
    "security": "Who holds no token is told nothing, and every request has bounds.",
    "performance": "Promises held against a short load of golden rows, and the memory that the processes hold after it.",
}


def page(report: ApplicationReport) -> str:
    """Verdict, and every test by its kind with what was seen."""
    return html.page(
        "application.html",
        report=report,
        groups=[
            (kind, text, [o for o in report.outcomes if o.kind == kind])
            for kind, text in _MEANING.items()
            if kind in report.kinds
        ],
        absent=[kind for kind in _MEANING if kind not in report.kinds],
        milliseconds=milliseconds,
    )
