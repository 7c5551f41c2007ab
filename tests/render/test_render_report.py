"""The report's pages: the same figures everywhere, nothing fetched, nothing injected."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from modelyard.records.comparison import Comparison, Decisions, PairedMetric
from modelyard.records.decision import Calibration, Costs, Estimate
from modelyard.records.explanation import Baseline, Dependence, FeatureImportance, Importance
from modelyard.records.fairness import Fairness, Group, GroupGap, Rate
from modelyard.records.gate import GateOutcome
from modelyard.records.report import Curve, Metric, Report
from modelyard.records.stability import Shake, Stability
from modelyard.render import html, markdown
from modelyard.render.view import view
from modelyard.render.wording import number

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<script>alert('x')</script>|`**\n# \"&"


def binary(**changes) -> Report:
    report = Report(
        model="screening",
        package="9f" * 32,
        dataset="patients@3",
        dataset_digest="77" * 32,
        task="binary",
        classes=("benign", "malignant"),
        rows=114,
        metrics=(
            Metric(name="roc_auc", value=0.99423, low=0.98112, high=1.0),
            Metric(name="recall", value=0.95238, low=0.88095, high=1.0),
            Metric(name="log_loss", value=0.07312, low=0.03, high=0.13, higher_is_better=False),
        ),
        confusion=((71, 1), (2, 40)),
        curves=(
            Curve(name="roc", x=(0.0, 0.0, 1.0), y=(0.0, 0.95, 1.0)),
            Curve(name="precision_recall", x=(0.0, 0.9, 1.0), y=(1.0, 1.0, 0.37)),
            Curve(name="calibration", x=(0.05, 0.9), y=(0.04, 0.93), counts=(70, 44)),
        ),
        gates=(
            GateOutcome(
                metric="roc_auc", rule="min", passed=True, sentence="roc_auc is 0.9942, at least 0.95."
            ),
            GateOutcome(
                metric="log_loss",
                rule="max",
                passed=False,
                sentence="log_loss is 0.07312, above 0.05, the most allowed.",
            ),
        ),
        passed=False,
        created=dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC),
    )
    return msgspec.structs.replace(report, **changes)


def multiclass(classes: int) -> Report:
    confusion = tuple(tuple(9 if i == j else 1 for j in range(classes)) for i in range(classes))
    return binary(
        task="multiclass",
        classes=tuple(f"kind {i}" for i in range(classes)),
        confusion=confusion,
        curves=(),
        metrics=(Metric(name="accuracy", value=0.75, low=0.7, high=0.8),),
    )


def regression() -> Report:
    residuals = Curve(name="residuals", x=(1.0, 2.5, 3.0), y=(0.2, -0.1, 0.0))
    metrics = (
        Metric(name="r2", value=-0.0213, low=-0.2, high=0.1),
        Metric(name="rmse", value=53218.24, low=50000.0, high=60000.0, higher_is_better=False),
    )
    return binary(
        task="regression", classes=(), confusion=(), curves=(residuals,), metrics=metrics, rows=5000
    )


def compared(**changes) -> Comparison:
    found = Comparison(
        environment="prod",
        champion="screening@4",
        metrics=(
            PairedMetric(
                name="roc_auc",
                value=0.91,
                champion=0.95,
                difference=-0.04,
                error=0.01,
                low=-0.0596,
                high=-0.0204,
                method="delong",
            ),
            PairedMetric(
                name="log_loss",
                value=0.2,
                champion=0.3,
                difference=-0.1,
                error=0.02,
                low=-0.1392,
                high=-0.0608,
                higher_is_better=False,
            ),
            PairedMetric(
                name="recall", value=0.8, champion=0.9, difference=-0.1, error=0.09, low=-0.27, high=0.07
            ),
            PairedMetric(name="f1", value=0.8, champion=0.8, difference=0.0, error=0.0, low=0.0, high=0.0),
            PairedMetric(name="mcc", value=0.8, champion=0.7, difference=0.1),
        ),
        decisions=Decisions(
            both=90, only_challenger=1, only_champion=7, neither=16, p_exact=0.0703, p_mid=0.0391
        ),
    )
    return msgspec.structs.replace(found, **changes)


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.1, high=value + 0.1)


def decided() -> Report:
    """With calibration, prices and groups."""
    rate = Rate(hits=30, rows=40, low=0.6, high=0.86)
    group = {"judged": True, "selection": rate, "tpr": rate, "fpr": rate}
    return binary(
        calibration=Calibration(
            reliability=0.01,
            resolution=0.09,
            uncertainty=0.23,
            within=0.001,
            slope=estimate(0.7),
            intercept=estimate(0.0),
        ),
        costs=Costs(
            false_positive=1.0,
            false_negative=5.0,
            threshold=1 / 6,
            packaged=0.4,
            at_threshold=0.3,
            difference=estimate(-0.2),
            confusion=((60, 12), (1, 41)),
            thresholds=(0.0, 0.5, 1.0),
            costs=(0.6, 0.4, 1.8),
        ),
        fairness=(
            Fairness(
                column="sex",
                groups=(
                    Group(label=HOSTILE, rows=80, ppv=Rate(hits=0, rows=0, low=0.0, high=1.0), **group),
                    Group(label="m", rows=34, ppv=rate, **group),
                    Group(label="x", rows=3, ppv=rate, **{**group, "judged": False}),
                ),
                gaps=(GroupGap(rate="tpr", least="m", most=HOSTILE, gap=0.05, low=-0.1, high=0.2),),
            ),
        ),
    )


def explained() -> Report:
    """With baselines and importance."""
    ridge = PairedMetric(
        name="r2", value=0.5, champion=0.6, difference=-0.1, error=0.1, low=-0.3, high=0.1, method="bootstrap"
    )
    return msgspec.structs.replace(
        regression(),
        baselines=(
            Baseline(name="mean", rows=900, metrics=(ridge,)),
            Baseline(name="ridge", rows=900, metrics=(ridge,)),
        ),
        importance=Importance(
            loss="absolute_error",
            base=0.4,
            rows=500,
            repeats=5,
            features=tuple(
                FeatureImportance(column=f"{HOSTILE}{at}", increase=0.3 - at, low=0.2 - at, high=0.4 - at)
                for at in range(25)
            ),
            dependence=(
                Dependence(column=HOSTILE, answers=(1.0, 2.0, 2.5), values=(0.0, 1.0, 5.0)),
                Dependence(column="ward", answers=(1.0, 2.0), labels=("a", HOSTILE)),
            ),
        ),
    )


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.unlabelled = 0
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.loads += [
            v for k, v in attributes if k in ("src", "href", "xlink:href", "data", "srcset", "action")
        ]
        self.loads += re.findall(r"url\(([^)]*)\)", given.get("style") or "")
        if tag == "svg" and not (given.get("role") == "img" and given.get("aria-label")):
            self.unlabelled += 1

    def handle_data(self, data):
        self.text += data


ALL = [binary(comparisons=(compared(),)), multiclass(3), multiclass(14), regression(), decided(), explained()]
NAMES = ["binary", "three", "many", "regression", "decided", "explained"]


@pytest.mark.parametrize("report", ALL, ids=NAMES)
def test_three_renderings_show_the_same_numbers(report):
    source, text = html.report(report), markdown.report(report)
    page = Page(source).text
    record = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    for metric in record.metrics:
        for figure in (metric.value, metric.low, metric.high):
            assert number(figure) in page
            assert number(figure) in text
    for outcome in record.gates:
        assert outcome.sentence in page
        assert outcome.sentence in text
    for fact in (record.model, record.package, record.dataset, record.dataset_digest, view(record).verdict):
        assert fact in page
        assert fact in text
    for row in record.confusion if len(record.classes) < 13 else ():
        for count in row:
            assert f"<strong>{count}</strong>" in source
            assert f" {count} (" in text


@pytest.mark.parametrize("report", ALL, ids=NAMES)
def test_a_page_loads_and_runs_nothing(report):
    source = html.report(report)
    page = Page(source)
    assert page.loads == []
    assert not {"script", "link", "iframe", "object", "img", "form", "base"} & set(page.tags)
    assert "default-src 'none'" in source
    for found in re.findall(r"@import|url\([^#][^)]*\)", source):
        pytest.fail(f"the page asks for {found}")
    assert page.unlabelled == 0


def test_hostile_labels_stay_text():
    classes = ("fine", HOSTILE)
    gates = (GateOutcome(metric="recall", rule="min", passed=False, sentence=f"recall of {HOSTILE}"),)
    report = binary(classes=classes, gates=gates, model="<b>m</b>", dataset="<i>d</i>@1")
    page = Page(html.report(report))
    assert "script" not in page.tags
    assert HOSTILE in page.text
    assert "<b>m</b>" in page.text
    text = markdown.report(report)
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "fine" in line]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows if "True" in line}) == 1
    assert '\n# "' not in text


def test_hostile_labels_stay_text_in_a_heatmap():
    report = multiclass(14)
    hostile = ("</text><script>alert(1)</script>", '"]}+[datum', *report.classes[2:])
    page = Page(html.report(msgspec.structs.replace(report, classes=hostile)))
    assert "script" not in page.tags
    assert '"]}+[datum' in page.text


def test_a_comparison_reads_its_intervals_the_right_way_round():
    report = binary(comparisons=(compared(),))
    page, text = html.report(report), markdown.report(report)
    assert "better on 1 and worse on 1; 2 undecided, 1 the same" in Page(page).text
    for line in (
        "| ROC AUC | 0.9100 | 0.9500 | −0.0400 | −0.0596 to −0.0204 | worse |",
        "| Log loss | 0.2000 | 0.3000 | −0.1000 | −0.1392 to −0.0608 | better |",
        "| Recall (sensitivity) | 0.8000 | 0.9000 | −0.1000 | −0.2700 to +0.0700 | undecided |",
        "| F1 | 0.8000 | 0.8000 | 0.0000 | 0.0000 to 0.0000 | same |",
    ):
        assert line in text
    for shown in (Page(page).text, text):
        assert "only this version has 1 right and only the champion 7" in shown
        assert "mid-p = 0.039" in shown


def test_prices_calibration_and_groups_say_what_they_mean():
    page, text = Page(html.report(decided())).text, markdown.report(decided())
    for shown in (page, text):
        assert "With 1 for a false alarm and 5 for a miss" in shown
        assert "acted on from 0.1667 on; these rows show that it would cost less" in shown
        assert "finds 41 of 42 with 12 false alarms" in shown
        assert "probabilities are too extreme" in shown
        assert "no such row" in shown
        assert "too few rows" in shown
    assert "What if: cost by threshold" in page
    assert HOSTILE in page


def test_a_champion_that_answers_alike_needs_no_table():
    same = PairedMetric(name="roc_auc", value=0.9, champion=0.9, difference=0.0, error=0.0, low=0.0, high=0.0)
    report = binary(comparisons=(compared(metrics=(same,)),))
    for shown in (html.report(report), markdown.report(report)):
        assert "Both answer alike" in shown
        assert "Champion</th>" not in shown
        assert "| Champion |" not in shown


def test_disturbances_say_what_they_did():
    shakes = (
        Shake(kind="noise", level=0.1, columns=7, loss=0.35, growth=0.15, low=0.1, high=0.2, moved=0.04),
        Shake(kind="missing", level=0.05, columns=2, loss=0.2, growth=0.0, low=-0.1, high=0.1, moved=0.0),
    )
    stability = Stability(loss="brier", base=0.2, rows=500, shakes=shakes, note="The model fails.")
    report = binary(stability=stability)
    for text in (Page(html.report(report)).text, markdown.report(report)):
        shown = text.replace("\u202f", " ")
        assert "Noise of 10 % of a standard deviation on 7 columns" in shown
        assert "5 % of the values of 2 columns missing" in shown
        assert "4.0 %" in shown
        assert "The model fails." in shown


def test_baselines_and_importance_say_what_they_mean():
    page, text = Page(html.report(explained())).text, markdown.report(explained())
    for shown in (page, text):
        assert "do not show that it is better than the ridge regression" in shown
        assert "grows when a feature is shuffled among the rows: 500 test rows, 5 times" in shown
        assert "+0.3000" in shown
    assert "5 further features" in page
    assert HOSTILE + "0" in page


def test_a_champion_that_does_not_fit_is_named_with_the_reason():
    unfit = compared(metrics=(), decisions=None, unfit="it needs the column '<b>age</b>'")
    report = binary(comparisons=(unfit,))
    assert "it needs the column '<b>age</b>'" in Page(html.report(report)).text
    assert "&lt;b&gt;age" in markdown.report(report)


@pytest.mark.parametrize(
    ("passed", "gates", "said"),
    [(True, 0, "No gate was set"), (True, 1, "The one gate is met"), (False, 2, "1 of 2 gates is not met")],
)
def test_the_verdict_says_how_many_gates(passed, gates, said):
    report = binary(passed=passed, gates=binary().gates[:gates])
    assert said in html.report(report)
    assert said in markdown.report(report)
    verdict = "Not passed" if not passed else "Passed" if gates else "Ungated"
    assert f">{verdict}</span>" in html.report(report)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.99423, "0.9942"),
        (1.0, "1.0000"),
        (0.0, "0.0000"),
        (53218.24, "53,218"),
        (-0.0213, "\u22120.0213"),
        (12.3456, "12.346"),
        (0.000012, "1.200e\u221205"),
        (3.2e12, "3.200e+12"),
    ],
)
def test_numbers(value, shown):
    assert number(value) == shown


def test_a_report_without_curves_and_gates_renders():
    bare = binary(curves=(), gates=(), confusion=(), metrics=(), passed=True)
    assert ">Ungated</span>" in html.report(bare)
    assert "# Ungated: screening" in markdown.report(bare)


def test_a_report_that_was_stored_before_there_were_slices_still_renders():
    stored = b"""{"model":"screening","package":"9f","dataset":"patients@3","dataset_digest":"77","task":"binary",
    "classes":["benign","malignant"],"rows":114,"metrics":[{"name":"roc_auc","value":0.99,"low":0.98,"high":1.0,
    "higher_is_better":true}],"confusion":[[71,1],[2,40]],"curves":[{"name":"roc","x":[0.0,0.0,1.0],
    "y":[0.0,0.95,1.0],"counts":[]}],"gates":[{"metric":"roc_auc","rule":"min","passed":true,
    "sentence":"roc_auc is 0.99, at least 0.95."}],"passed":true,"created":"2026-11-01T09:30:00Z"}"""
    report = msgspec.json.decode(stored, type=Report)
    assert "0.9900" in html.report(report)
    assert "0.9900" in markdown.report(report)
    assert "Slices" not in html.report(report)


def test_mentions_do_not_call_people():
    assert "@someone" not in markdown.escape("by @someone")
    assert markdown.escape("patients@3") == "patients@3"


def test_altair_is_imported_only_to_draw():
    code = "import sys, modelyard.render.html, modelyard.render.text; print('altair' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
def test_a_browser_shows_it_without_a_complaint_or_request(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    pages = {
        name: tmp_path / f"{name}.html" for name in ("binary", "many", "regression", "decided", "explained")
    }
    for name, report in zip(
        pages, (ALL[0], multiclass(14), regression(), decided(), explained()), strict=True
    ):
        pages[name].write_text(html.report(report), encoding="utf-8")
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme, width in (("light", 1100), ("dark", 360)):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
            for path in pages.values():
                complaints, requests = [], []
                page = context.new_page()
                page.on("console", lambda message, to=complaints: to.append(message.text))
                page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
                page.on("request", lambda request, to=requests: to.append(request.url))
                page.goto(path.as_uri())
                assert page.locator("#verdict").is_visible()
                assert page.locator("#verdict").inner_text() == "Not passed"
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                ink = page.locator(".charts svg text").first.evaluate("e => getComputedStyle(e).fill")
                assert ink == ("rgb(86, 93, 105)" if scheme == "light" else "rgb(167, 174, 185)")
                assert complaints == []
                assert requests == [path.as_uri()]
            context.close()
        browser.close()
