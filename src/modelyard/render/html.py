"""Records as pages that open anywhere: no script, no font, no request."""

from __future__ import annotations

import re

import jinja2
from markupsafe import Markup

from modelyard.records.report import Curve, Report
from modelyard.render import tuned
from modelyard.render.view import ReportView, view
from modelyard.render.wording import number

_MATRIX_LIMIT = 12
"""More classes than this are drawn as a heatmap instead of a table."""
_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("modelyard.render"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report(record: Report) -> str:
    """The report as one self-contained page, light and dark, readable offline and on a phone."""
    shown = view(record)
    many = len(record.classes) > _MATRIX_LIMIT
    return _PAGES.get_template("report.html").render(
        view=shown,
        report=record,
        charts=_charts(shown),
        dependence=_dependence(record),
        searches=_searches(record),
        matrix=bool(shown.cells) and not many,
    )


def _searches(record: Report) -> list[tuple[str, str, Markup]]:
    """Title, what to look for, SVG."""
    if record.study is None:
        return []
    return [(title, text, Markup(svg)) for title, text, svg in tuned.drawings(record.study, record.trials)]


def _dependence(record: Report) -> list[tuple[str, Markup]]:
    """Column and drawing, on one scale of answers."""
    drawn = record.importance.dependence if record.importance else ()
    if not drawn:
        return []
    from modelyard.render import charts

    means = [answer for d in drawn for answer in d.answers]
    outcome = "Mean answer" if record.task == "regression" else "Mean probability"
    return [
        (d.column, Markup(charts.dependence(d, at, outcome, (min(means), max(means)))))
        for at, d in enumerate(drawn)
    ]


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after a character between its words."""
    words = re.split(r"(?<=[_./-])(?=[^_./-])", name)
    return Markup("<wbr>").join(words)


_PAGES.filters["breakable"] = breakable


def page(template: str, /, **facts: object) -> str:
    """A page of one of the templates; every text in ``facts`` is escaped there."""
    return _PAGES.get_template(template).render(**facts)


def _charts(shown: ReportView) -> list[tuple[str, str, Markup]]:
    """Title, what to look for, SVG."""
    from modelyard.render import charts  # Altair takes half a second to import: only when drawing

    record = shown.report
    curves = {curve.name: curve for curve in record.curves if curve.x}
    values = {metric.name: number(metric.value) for metric in record.metrics}
    drawn: list[tuple[str, str, str]] = []
    if roc := curves.get("roc"):
        drawn.append(
            (
                "ROC curve",
                "How many cases are found at the price of how many false alarms, over all thresholds. "
                "The dashed line is guessing.",
                charts.roc(roc, values.get("roc_auc", "")),
            )
        )
    if precision_recall := curves.get("precision_recall"):
        drawn.append(
            (
                "Precision and recall",
                "How many of the alarms are right, for how many cases found. The dashed line is guessing.",
                charts.precision_recall(
                    precision_recall, values.get("average_precision", ""), _positive_share(record)
                ),
            )
        )
    if calibration := curves.get("calibration"):
        drawn.append(
            (
                "Calibration",
                "Whether a stated probability means what it says: on the dashed line it does. "
                "Larger dots stand for more rows.",
                charts.calibration(calibration),
            )
        )
    if record.costs:
        drawn.append(
            (
                "What if: cost by threshold",
                "What a row would have cost on average. The dashed line is the threshold that the prices imply; the least "
                "point of the curve is picked from these very rows and promises too much.",
                charts.costs(record.costs),
            )
        )
    if found := curves.get("residuals"):
        drawn += _regression(found, record.rows)
    if len(record.classes) > _MATRIX_LIMIT and record.confusion:
        drawn.append(
            (
                "Confusion matrix",
                "True classes down, predicted across; darker is a larger share of the true class.",
                charts.heatmap(record.confusion, shown.classes),
            )
        )
    return [(title, text, Markup(svg)) for title, text, svg in drawn]


def _regression(residuals: Curve, rows: int) -> list[tuple[str, str, str]]:
    from modelyard.render import charts

    some = f" Shown are {len(residuals.x):,} rows drawn at random." if len(residuals.x) < rows else ""
    return [
        (
            "Predicted and true",
            f"On the dashed line a prediction is exact.{some}",
            charts.predicted_and_true(residuals),
        ),
        (
            "Residuals",
            "What is left over, true less predicted: a good model leaves no shape around zero.",
            charts.residuals(residuals),
        ),
    ]


def _positive_share(record: Report) -> float:
    total = sum(sum(row) for row in record.confusion)
    return sum(record.confusion[-1]) / total if total else 0.0
