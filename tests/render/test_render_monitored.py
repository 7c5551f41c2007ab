"""A window's report: nothing from outside, every text escaped, one page for any state."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from modelyard.records.finding import Detail, Finding, WindowReport
from modelyard.records.window import ExaminedWindow, examined
from modelyard.render import monitored

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
STRANGE = "<b>r|a*d_i\u00fcs & co"


def finding(column: str = STRANGE, *, alert: bool = True, effect: float = 0.8) -> Finding:
    return Finding(
        kind="drift",
        column=column,
        statistic="psi",
        value=0.9,
        p_value=1e-9,
        p_corrected=3e-9,
        effect=effect,
        effect_name="psi",
        reference_rows=1455,
        window_rows=1200,
        alert=alert,
        sentence=f"{column} moved up by 0.9 sd: PSI 0.8",
        details=(
            Detail(name='below <3 "', reference=0.25, window=0.05, contribution=0.4),
            Detail(name="3 to 4", reference=0.75, window=0.95, contribution=0.6),
        ),
    )


def report(*findings: Finding, hour: int = 0, note: str = "", rows: int = 1200) -> WindowReport:
    return WindowReport(
        environment="prod",
        model="screening",
        version=7,
        start=NOON + hour * HOUR,
        end=NOON + (hour + 1) * HOUR,
        rows=rows,
        alpha=0.05,
        correction="holm",
        findings=findings,
        note=note,
        package="ab" * 32,
        examined=NOON,
    )


def past(hours: int) -> list[ExaminedWindow]:
    return [
        examined(report(finding(alert=hour > 2, effect=hour / 4), hour=hour, rows=100 + hour), "cd" * 32)
        for hour in range(hours)
    ]


def test_the_page_shows_what_alerted_and_the_course_of_it() -> None:
    page = monitored.page(report(finding(), finding("calm", alert=False), hour=5), past(6))
    assert "1 alert over 1,200 predictions" in page
    assert page.count("<svg ") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    assert "<b>r" not in page
    assert "&lt;b&gt;r" in page
    assert page.index("2026-11-20 17:00") < page.index("2026-11-20 14:00"), "the newest stands first"
    assert "< 0.0001" not in page
    assert "&lt; 0.0001" in page


def test_a_difference_of_whole_rows_is_drawn_by_its_columns() -> None:
    parts = tuple(
        Detail(name=n, reference=0, window=0, contribution=c) for n, c in (("a<b", 0.75), ("b", 0.25))
    )
    whole = msgspec.structs.replace(finding(""), kind="multivariate_drift", details=parts)
    page = monitored.page(report(whole))
    assert "a&lt;b: 75%; b: 25%" in page
    assert "Part of the difference" in page


def test_a_window_alone_has_no_course() -> None:
    page = monitored.page(report(finding(alert=False)))
    assert "No alert among 1 tests" in page
    assert "<svg " not in page
    assert "Examined windows" not in page


@pytest.mark.parametrize("note", ["No predictions in this window: nothing was judged."])
def test_a_window_that_was_not_judged_says_so(note: str) -> None:
    page = monitored.page(report(note=note, rows=0), past(2))
    assert "not judged" in page
    assert note in page


def test_markdown_keeps_its_tables_whatever_a_column_is_called() -> None:
    text = monitored.text(report(finding()), past(3))
    rows = [line for line in text.splitlines() if line.startswith("| **alert**")]
    assert len(rows) == 1
    assert rows[0].count("|") - rows[0].count("\\|") == 11
    assert "&lt;b&gt;r\\|a\\*d_i\u00fcs &amp; co" in text
    assert "2026-11-20 14:00" in text
