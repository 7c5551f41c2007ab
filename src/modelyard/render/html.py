"""Records as pages that open anywhere: no script, no font, no request."""

from __future__ import annotations

import re
from collections.abc import Mapping

import jinja2
from markupsafe import Markup

from modelyard.records.learning import Learning
from modelyard.records.report import Curve, Report
from modelyard.render import tuned
from modelyard.render.view import ReportView, view
from modelyard.render.wording import number, words

_MATRIX_LIMIT = 12
"""More classes than this are drawn as a heatmap instead of a table."""
FAN = "True values and their intervals"
_WIDE = ("Confusion matrix", FAN)
"""Charts that take a line of the page."""
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
        wide=_WIDE,
        dependence=_dependence(record),
        searches=_searches(record),
        leaning=_leaning(record),
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


def _leaning(record: Report) -> list[tuple[str, Markup]]:
    """Column and drawing, on one scale of residuals."""
    if not record.residuals:
        return []
    from modelyard.render import charts

    ends = [end for one in record.residuals for end in (*one.lows, *one.highs)]
    scale = (min(0.0, *ends), max(0.0, *ends))
    return [(one.column, Markup(charts.leaning(one, at, scale))) for at, one in enumerate(record.residuals)]


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
    if qq := curves.get("qq"):
        drawn.append(
            (
                "Residuals beside a normal distribution",
                "On the dashed line they are as a normal distribution's. Ends that leave it are errors larger, or "
                "smaller, than its tails.",
                charts.normal(qq),
            )
        )
    drawn += _quantiles(curves, record.rows)
    if record.learning and len(record.learning.points) > 1:
        drawn.append(_learning(record.learning))
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


def _learning(found: Learning) -> tuple[str, str, str]:
    from modelyard.render import charts

    name = words(found.metric)[0]
    way = "climbs" if found.higher_is_better else "falls"
    return (
        "Learning curve",
        f"{name} on folds of the training rows that were held out, by how many of the others were learnt from; the band "
        f"reaches from fold to fold. A line that still {way} says that more rows would help.",
        charts.learning(found.points, name),
    )


def _quantiles(curves: Mapping[str, Curve], rows: int) -> list[tuple[str, str, str]]:
    from modelyard.render import charts

    drawn = []
    if levels := curves.get("quantiles"):
        drawn.append(
            (
                "Do the quantiles mean what they say?",
                "The share of true values at or below each quantile, with its 95\u202f% interval: on the dashed line "
                "it is the level.",
                charts.levels(levels),
            )
        )
    if fan := curves.get("fan"):
        some = f" Shown are {len(fan.x):,} rows, evenly spread." if len(fan.x) < rows else ""
        drawn.append(
            (
                FAN,
                "The band reaches from the lowest quantile to the highest, the line is the prediction. Dark dots are "
                f"true values outside.{some}",
                charts.fan(fan),
            )
        )
    return drawn


def _positive_share(record: Report) -> float:
    total = sum(sum(row) for row in record.confusion)
    return sum(record.confusion[-1]) / total if total else 0.0
