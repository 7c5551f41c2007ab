"""What ``diff`` writes: nothing fetched, nothing injected, a text that a forge shows."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.contrast import Changed, Contrast, Contrasts, Rewritten, Series, Trained
from modelyard.records.metric import Metric
from modelyard.records.report import Curve
from modelyard.render import contrast_pages
from modelyard.render.contrasted import views

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<script>alert('x')</script>|`**\n# \"& @everyone"


def side(ref: str, shift: float = 0.0) -> Trained:
    return Trained(
        ref=ref,
        run="5" * 12,
        package=ref[-1] * 64,
        dataset="houses@1",
        seed=0,
        trained=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        seconds=1.5,
        tested="houses@1",
        rows=3,
        metrics=(Metric(name="r2", value=0.5 + shift, low=0.4, high=0.7),),
        curves=(Curve(name="residuals", x=(1.0, 2.0, 3.0), y=(0.1 + shift, -0.2, 0.3)),),
        task="regression",
    )


def regression() -> Contrast:
    return Contrast(
        model="prices",
        before=side("prices@1"),
        after=side("prices@2", 0.1),
        paired=Comparison(
            environment="",
            champion="prices@1",
            metrics=(
                PairedMetric(
                    name="r2", value=0.6, champion=0.5, difference=0.1, error=0.01, low=0.08, high=0.12
                ),
            ),
        ),
        parameters=(Changed(name=HOSTILE, before=HOSTILE, after=1.5),),
        logged=(Changed(name="loss", before=None, after="nan"),),
        series=(Series(metric=HOSTILE, before=((0, 1.0), (1, 0.5)), after=()),),
        libraries=(Changed(name="numpy", before="2.3.0", after="2.4.0"),),
        code=(
            Rewritten(
                path=HOSTILE,
                change="changed",
                added=1,
                removed=0,
                diff="--- a\n+++ b\n@@ @@\n+```\n+</pre><b>",
                cut=7,
            ),
            Rewritten(path="weights.bin", change="new", added=0, removed=0),
        ),
    )


def alone() -> Contrast:
    return Contrast(model="other", before=None, after=side("other@1"))


def record(*models: Contrast) -> Contrasts:
    return Contrasts(before="staging", after="prod", models=models)


def test_hostile_texts_stay_texts_in_the_page() -> None:
    page = contrast_pages.page(record(regression(), alone()))
    assert "<script" not in page
    assert "<b>" not in re.sub(r"<b style=", "", page)
    assert not re.search(r"""(src|href)=["']?(?!#)""", page)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_markdown_keeps_its_tables_and_fences_whatever_the_texts_hold() -> None:
    pictures: dict[str, bytes] = {}
    text = contrast_pages.text(
        record(regression(), alone()), lambda n, c: pictures.setdefault(n, c) and f"x/{n}"
    )
    assert set(pictures) == {"prices-residuals.svg", "prices-logged1.svg"}
    assert "](x/prices-residuals.svg)" in text
    assert "![" not in contrast_pages.text(record(regression(), alone()), lambda *_: None)
    assert "<script" not in text
    assert "@everyone" not in text.replace("@\u2060everyone", "")
    assert "````diff\n--- a\n+++ b\n@@ @@\n+```\n+</pre><b>\n````" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    at = next(i for i, line in enumerate(rows) if line.startswith("| Parameter"))
    assert widths[at] == widths[at + 1] == widths[at + 2] == 4
    assert "| R² | 0.5000 | 0.6000 | \\+0.1000 | \\+0.0800 to +0.1200 | **better** |" in text
    assert "7 more lines" in text
    assert "Only one side has it: other@1." in text
    assert b"<rect" in pictures["prices-residuals.svg"]
    assert b"var(--" not in pictures["prices-residuals.svg"]


def test_long_code_is_cut_where_a_forge_would() -> None:
    many = "\n".join(["--- a", "+++ b", *(f"+line {n}" for n in range(1000))])
    files = tuple(
        Rewritten(path=f"{n}.py", change="changed", added=1000, removed=0, diff=many) for n in range(3)
    )
    one = Contrast(model="m", before=side("m@1"), after=side("m@2"), code=files)
    text = contrast_pages.text(record(one), lambda name, _: name)
    assert text.count("\n+line") == 298
    assert "... and 702 more lines" in text
    assert "2.py" in text


def test_figures_of_other_rows_have_no_difference() -> None:
    one = Contrast(model="m", before=side("m@1"), after=side("m@2"), unpaired="m@1 was not tested yet")
    (view,) = views(record(one))
    assert view.unpaired == "Not compared on the same rows: m@1 was not tested yet."
    assert (view.figures[0].before, view.figures[0].between_before) == ("0.5000", "0.4000 to 0.7000")
    assert view.verdict == "Ungated"


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
def test_a_browser_shows_it_without_a_complaint_or_request(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "diff.html"
    path.write_text(contrast_pages.page(record(regression(), alone())), encoding="utf-8")
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme, width in (("light", 1100), ("dark", 360)):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
            page = context.new_page()
            complaints: list[str] = []
            requests: list[str] = []
            page.on("console", lambda message, to=complaints: to.append(message.text))
            page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
            page.on("request", lambda request, to=requests: to.append(request.url))
            page.goto(path.as_uri())
            assert page.locator(".charts svg").count() == 2
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert complaints == []
            assert requests == [path.as_uri()]
        browser.close()
