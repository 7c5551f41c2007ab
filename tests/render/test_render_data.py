"""The data report's page: whole for any table, nothing fetched, nothing injected."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from modelyard.data import describe
from modelyard.records.datareport import DataReport
from modelyard.records.dataset import DatasetVersion, Split
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.render import figures
from modelyard.render.datapage import CARDS, data_report
from modelyard.tables.gather import gather
from modelyard.tables.infer import infer
from modelyard.tables.profile import anchor
from modelyard.tables.split import SPLIT

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<script>alert('x')</script>\u202e\x07|`\n\"&"


class Page(HTMLParser):
    """What a browser would act on."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.loads += [v for k, v in attributes if k in ("src", "href", "xlink:href", "data", "srcset")]
        if tag == "svg":
            assert given.get("aria-hidden") or (given["role"] == "img" and given["aria-label"])

    def handle_data(self, data):
        self.text += data


def described(frame: pl.DataFrame, *, target: str | None = None, rows: bool = True) -> DataReport:
    """The report on a frame as if it were ingested, every fifth row a test row."""
    schema = infer(frame, target=target, key=())
    bare = msgspec.structs.replace(schema, target=None)
    version = DatasetVersion(
        dataset="patients",
        number=3,
        digest="9f" * 32,
        table="patients",
        table_version=2,
        rows=frame.height,
        test_rows=frame.height // 5,
        schema=schema,
        profile="77" * 32,
        split=Split(test=0.2, seed=7, stratify=False),
        sources=(),
        marks={f"{HOSTILE}: range": 2},
        created=dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC),
    )
    side = pl.select(
        pl.when(pl.int_range(frame.height) % 5 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    split = frame.with_columns(side.to_series().alias(SPLIT))
    return describe(version, anchor(gather(frame, bare), bare), split.lazy() if rows else None)


def mixed(rows: int = 400) -> pl.DataFrame:
    generator = np.random.default_rng(4)
    label = generator.choice(["yes", "no"], rows, p=[0.3, 0.7])
    return pl.DataFrame(
        {
            HOSTILE: generator.normal(size=rows) + (label == "yes"),
            "city": generator.choice(["Zürich", "東京", "<b>Bern</b>", " "], rows),
            "empty": pl.Series([None] * rows, dtype=pl.Float64),
            "constant": [7] * rows,
            "huge": np.linspace(-1.0, 1.0, rows) * 1.7e308,
            "tailed": np.exp(generator.normal(size=rows) * 8),
            "od280/od315_of_diluted_wines": generator.normal(size=rows),
            "MAMMOGRAPHY OF WOMEN, WHOLE": generator.normal(size=rows),
            "note": [f"note {at}" for at in range(rows)],
            "day": pl.Series(np.arange(rows, dtype=np.int32)).cast(pl.Date),
            "seen": pl.Series(np.arange(rows) * 10**12).cast(pl.Datetime("us", "UTC")),
            "sure": [None if at % 3 == 0 else at % 2 == 0 for at in range(rows)],
            "answer": label,
        }
    )


REPORTS = {
    "classes": lambda: described(mixed(), target="answer"),
    "number": lambda: described(mixed().drop("answer"), target=HOSTILE),
    "no target": lambda: described(mixed()),
    "profile only": lambda: described(mixed(), target="answer", rows=False),
    "two rows": lambda: described(mixed(2)),
    "one row": lambda: described(mixed(1)),
    "many classes": lambda: described(mixed(), target="note"),
    "wide": lambda: described(
        pl.DataFrame({f"column_{at:03d}": np.arange(40.0) * (at + 1) for at in range(200)}).with_columns(
            y=pl.Series([at % 2 == 0 for at in range(40)])
        ),
        target="y",
    ),
}


@pytest.fixture(params=REPORTS, ids=list(REPORTS))
def report(request: pytest.FixtureRequest) -> DataReport:
    return REPORTS[request.param]()


def test_a_page_is_whole_and_asks_for_nothing(report: DataReport) -> None:
    source = data_report(report)
    page = Page(source)
    assert not {
        "script",
        "link",
        "iframe",
        "object",
        "img",
        "form",
        "base",
        "b" if "<b>Bern" in source else "",
    } & (set(page.tags))
    assert [link for link in page.loads if not re.fullmatch(r"#c\d+", link)] == []
    assert {link[1:] for link in page.loads} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert not re.search(r"@import|url\((?!#)", source)
    assert "default-src 'none'" in source
    assert "nan" not in re.findall(
        r"[a-z]+", " ".join(re.findall(r'(?:points|d|width|height|style)="([^"]*)"', source))
    )
    for column in report.columns[:20]:
        assert column.name.split("_")[0].strip()[:20] in page.text


def test_the_record_survives_json(report: DataReport) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=DataReport) == report


def test_bars_hold_every_row(report: DataReport) -> None:
    for column in report.columns:
        present = column.rows - column.missing - column.infinite
        assert column.undrawn >= 0
        assert sum(bar.rows for bar in column.bars) + column.undrawn == present
        exact = column.distinct < 200 and not column.undrawn
        if report.classes and report.looked == report.rows and column.role == "feature" and exact:
            assert [sum(bar.classes) for bar in column.bars] == [bar.rows for bar in column.bars]


def test_relations_are_what_they_are_called() -> None:
    frame = mixed(2000).with_columns(
        copy=pl.col("answer"), bigger=(pl.col("answer") == "yes").cast(pl.Float64) + pl.int_range(2000) * 1e-9
    )
    report = described(frame, target="answer")
    found = {c.name: c.relation for c in report.columns}
    assert found["copy"].measure == "cramers_v"
    assert found["copy"].value == pytest.approx(1.0)
    assert found["bigger"].measure == "rank_biserial"
    assert found["bigger"].value == pytest.approx(1.0)
    assert abs(found["city"].value) < 0.1
    assert found["constant"] is None
    assert found["note"] is None
    assert found["answer"] is None


def test_rank_biserial_is_what_the_auc_says() -> None:
    from sklearn.metrics import roc_auc_score

    frame = mixed()
    auc = roc_auc_score(frame["answer"].to_numpy() == "yes", frame[HOSTILE].to_numpy())
    found = described(frame, target="answer").column(HOSTILE).relation
    assert found is not None
    assert found.value == pytest.approx(2 * auc - 1)


def test_ten_million_rows_are_told_by_their_profile() -> None:
    rng = np.random.default_rng(0)
    edges = tuple(np.sort(rng.normal(size=257)).tolist())
    column = ColumnProfile(
        name="x", kind="float", rows=10**7, mean=0.0, m2=1e7, edges=edges,
        minimum=edges[1], maximum=edges[-1], counts=(0, *[39062] * 128, *[39063] * 128, 0),
    )  # fmt: skip
    version = described(mixed(2))
    record = describe(
        DatasetVersion(
            dataset="big", number=1, digest="0" * 64, table="big", table_version=0, rows=10**7, test_rows=2 * 10**6,
            schema=infer(pl.DataFrame({"x": [0.5, 0.7]}), target=None, key=()), profile="0" * 64,
            split=Split(test=0.2, seed=0, stratify=False), sources=(), created=version.created,
        ),
        Profile(rows=10**7, columns=(column,)),
    )  # fmt: skip
    assert sum(bar.rows for bar in record.columns[0].bars) + record.columns[0].undrawn == sum(column.counts)
    assert "10,000,000" in data_report(record)


def test_a_wide_table_has_cards_for_some_and_a_line_for_each() -> None:
    page = data_report(REPORTS["wide"]())
    assert page.count("<article") == CARDS
    assert len(re.findall(r'<th scope="row">', page)) >= 201


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "float", "–"),
        (-0.5, "float", "−0.5"),
        (1234567.0, "integer", "1,234,567"),
        (20778.0, "date", "2026-11-21"),
        (1e300, "date", "1e+300"),
        (0.0, "datetime", "1970-01-01"),
        (float("inf"), "float", "inf"),
    ],
)
def test_figures(value: float | None, kind, text: str) -> None:
    assert figures.figure(value, kind) == text


def test_shares_never_hide_what_is_there() -> None:
    assert figures.share(1, 10**7) == "< 0.1 %"
    assert figures.share(10**7 - 1, 10**7) == "> 99.9 %"
    assert figures.share(0, 5) == "0 %"
    assert figures.share(5, 5) == "100 %"


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
@pytest.mark.parametrize("name", ["classes", "wide"])
def test_no_page_is_wider_than_a_phone(tmp_path: Path, name: str) -> None:
    from playwright.sync_api import sync_playwright

    file = tmp_path / "page.html"
    file.write_text(data_report(REPORTS[name]()))
    said: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        for width in (360, 1100):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: said.append(message.text))
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            inside = "[...document.querySelectorAll('.matrix-of-ranks .label')].map(e => e.getBBox().x >= 0)"
            labels = page.evaluate(inside)
            assert len(labels) > 2
            assert all(labels)
        browser.close()
    assert said == []
