"""Seeing and comparing dataset versions, through the command line on real data."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.datasets import load_wine

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def wine(tmp_path: Path) -> Path:
    """A project with the wine data as CSV, a bottle's number as its key."""
    bunch = load_wine(as_frame=True)
    frame = bunch.frame.rename(columns={"od280/od315_of_diluted_wines": "od280"})
    frame["target"] = [f"cultivar {label}" for label in frame["target"]]
    frame.insert(0, "bottle", range(1, len(frame) + 1))
    frame.to_csv(tmp_path / "wine.csv", index=False)
    (tmp_path / "modelyard.toml").write_text(
        '[project]\nname = "cellar"\n[data.wine]\nsource = "wine.csv"\ntarget = "target"\nkey = "bottle"\n'
        '[data.loose]\nsource = "wine.csv"\ntarget = "target"\n'
    )
    return tmp_path


def ingested(modelyard: Command, folder: Path, *, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Ingest, change the source, and ingest again."""
    assert modelyard("-C", folder, "ingest")[0] == 0
    source = folder / "wine.csv"
    change(pl.read_csv(source)).write_csv(source)
    code, _, complaint = modelyard("-C", folder, "ingest")
    assert code == 0, complaint


def facts(modelyard: Command, folder: Path, *words: str | Path) -> dict:
    code, output, complaint = modelyard("-C", folder, *words, "--json")
    assert code == 0, complaint
    return json.loads(output)


def corrected(frame: pl.DataFrame) -> pl.DataFrame:
    """Two bottles gone, one new, one value of bottle 7 corrected, all magnesium up by a standard deviation."""
    frame = frame.filter(~pl.col("bottle").is_in([3, 4]))
    new = frame.head(1).with_columns(bottle=pl.lit(999, pl.Int64))
    frame = pl.concat([frame, new])
    right = pl.when(pl.col("bottle") == 7).then(13.375).otherwise(pl.col("alcohol"))
    return frame.with_columns(right.alias("alcohol"), pl.col("magnesium") + 14)


def test_show_agrees_with_polars(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    report = facts(modelyard, wine, "data", "show", "wine@1")
    frame = pl.read_csv(wine / "wine.csv")
    assert [c["name"] for c in report["columns"]] == frame.columns
    roles = {c["name"]: c["role"] for c in report["columns"]}
    assert (roles["bottle"], roles["target"], roles["alcohol"]) == ("key", "target", "feature")
    for column in report["columns"]:
        values = frame[column["name"]]
        assert column["distinct"] == values.n_unique()
        assert sum(bar["rows"] for bar in column["bars"]) + column["undrawn"] == 178
        if values.dtype == pl.Float64:
            assert column["mean"] == pytest.approx(values.mean())
            assert column["sd"] == pytest.approx(values.std())
            assert column["quantiles"]["50 %"] == values.quantile(0.5, interpolation="lower")
    counted = dict(frame["target"].value_counts().iter_rows())
    assert {b["label"]: b["train"] + b["test"] for b in report["balance"]} == counted
    assert sum(b["test"] for b in report["balance"]) == report["test_rows"]


def test_show_as_a_table_names_every_column(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    code, output, complaint = modelyard("-C", wine, "data", "show", "wine")
    assert code == 0, complaint
    for name in pl.read_csv(wine / "wine.csv").columns:
        assert name in output
    assert "cultivar 2" in output


def test_the_profile_alone_tells_all_columns(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    for part in (wine / ".modelyard" / "artifacts" / "tables" / "wine").glob("*.parquet"):
        part.unlink()
    report = facts(modelyard, wine, "data", "show", "wine", "--profile")
    assert report["looked"] == 0
    assert len(report["columns"]) == 15
    assert all(c["bars"] for c in report["columns"])


def test_the_report_is_a_page_where_it_is_asked_for(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    code, output, complaint = modelyard("-C", wine, "data", "show", "wine", "--html", wine / "wine.html")
    assert code == 0, complaint
    assert str(wine / "wine.html") in output
    page = (wine / "wine.html").read_text()
    for text in ("wine@1", "cultivar 2", "flavanoids", "Columns that go together"):
        assert text in page
    code, _, complaint = modelyard("-C", wine, "data", "show", "wine", "--html", wine / "none" / "wine.html")
    assert code == 3
    assert "none" in complaint


def test_data_lists_one_dataset_or_all(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest")
    assert [v["dataset"] for v in facts(modelyard, wine, "data")] == ["loose", "wine"]
    assert [v["dataset"] for v in facts(modelyard, wine, "data", "wine")] == ["wine"]
    assert [v["dataset"] for v in facts(modelyard, wine, "data", "list", "loose")] == ["loose"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_checked_out_version_is_what_was_ingested(modelyard: Command, wine: Path, form: str) -> None:
    ingested(modelyard, wine, change=corrected)
    first, again = wine / f"first.{form}", wine / "again.parquet"
    assert modelyard("-C", wine, "data", "checkout", "wine@1", first)[0] == 0
    settings = wine / "modelyard.toml"
    settings.write_text(settings.read_text().replace("wine.csv", first.name))
    assert modelyard("-C", wine, "ingest", "wine")[0] == 0
    versions = facts(modelyard, wine, "data", "wine")
    assert [v["number"] for v in versions] == [1, 2, 3]
    assert versions[0]["digest"] == versions[2]["digest"] != versions[1]["digest"]
    assert modelyard("-C", wine, "data", "checkout", "wine@3", again)[0] == 0
    bunch = load_wine(as_frame=True)
    assert pl.read_parquet(again)["alcohol"].to_list() == bunch.frame["alcohol"].tolist()


def test_checkout_keeps_the_split_when_asked_and_no_file_by_accident(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    file = wine / "out.parquet"
    done = facts(modelyard, wine, "data", "checkout", "wine", file, "--split")
    sides = pl.read_parquet(file)["__split__"]
    assert int((sides == "test").sum()) == done["version"]["test_rows"]
    code, _, complaint = modelyard("-C", wine, "data", "checkout", "wine", file)
    assert code == 2
    assert "--force" in complaint
    assert "__split__" in pl.read_parquet(file).columns
    assert modelyard("-C", wine, "data", "checkout", "wine", file, "--force")[0] == 0
    assert "__split__" not in pl.read_parquet(file).columns
    code, _, complaint = modelyard("-C", wine, "data", "checkout", "wine", wine / "out.xlsx")
    assert code == 2
    assert ".parquet" in complaint
    assert not [p.name for p in wine.iterdir() if p.name.startswith(".out")]


def test_every_kind_comes_back_bit_for_bit(modelyard: Command, tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "id": [1, 2, 3, 4, 5, 6],
            "exact": [0.1, 1e-300, -0.0, 5e-324, None, 1.7976931348623157e308],
            "big": [2**53, -(2**53), 0, None, 7, 1],
            "flag": [True, False, None, True, False, True],
            "text": ["plain", 'say "hi", twice', "line\nbreak", "héllo ☃", " padded ", "-"],
            "day": ["1969-12-31", "2026-11-21", None, "0001-01-01", "9999-12-31", "2000-02-29"],
            "moment": [0, 1, -1, 1_700_000_000_123_456, None, 253_402_300_799_999_999],
        }
    ).with_columns(pl.col("day").str.to_date(), pl.col("moment").cast(pl.Datetime("us", "UTC")))
    rows.write_parquet(tmp_path / "rows.parquet")
    settings = tmp_path / "modelyard.toml"
    text = '[project]\nname = "kinds"\n[data.kinds]\nsource = "{}"\nkey = "id"\nsplit = {{ test = 0.5 }}\n'
    settings.write_text(text.format("rows.parquet"))
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 0, complaint
    for form in ("csv", "parquet"):
        code, _, complaint = modelyard("-C", tmp_path, "data", "checkout", "kinds", tmp_path / f"out.{form}")
        assert code == 0, complaint
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), rows)
    settings.write_text(text.format("out.csv"))
    code, output, complaint = modelyard("-C", tmp_path, "ingest")
    assert code == 0, complaint
    assert "nothing new" in output


def test_diff_by_key_finds_every_row_and_cell(modelyard: Command, wine: Path) -> None:
    ingested(modelyard, wine, change=corrected)
    found = facts(modelyard, wine, "diff", "wine@1", "wine@2")
    rows = found["rows"]
    assert (rows["by"], rows["added"], rows["removed"], rows["changed"]) == ("key", 1, 2, 176)
    assert rows["columns"] == {"magnesium": 176, "alcohol": 1}
    assert rows["moved"] == 0
    assert {"key": {"bottle": 7}, "column": "alcohol", "before": 14.39, "after": 13.375} in rows["cells"]
    assert [s["column"] for s in found["shifts"] if s["shifted"]] == ["magnesium"]
    shift = found["shifts"][0]
    assert "moved up" in shift["sentence"]
    assert shift["effect"] > 0.5
    assert 0.3 < shift["distance"] < 0.6
    code, output, _ = modelyard("-C", wine, "diff", "wine@1", "wine@2")
    assert code == 0
    assert "magnesium: 176 values corrected" in output
    assert "1 added, 2 removed, 176 changed" in output


def test_diff_without_a_key_counts_rows_as_a_multiset(modelyard: Command, wine: Path) -> None:
    def twice(frame: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([frame.tail(-2), frame.tail(3)])

    (wine / "wine.csv").write_text((wine / "wine.csv").read_text())
    settings = wine / "modelyard.toml"
    settings.write_text(settings.read_text().replace('key = "bottle"\n', ""))
    ingested(modelyard, wine, change=twice)
    rows = facts(modelyard, wine, "diff", "loose@1", "loose@2")["rows"]
    assert (rows["by"], rows["added"], rows["removed"]) == ("content", 3, 2)


def test_the_same_content_is_told_from_the_digests(modelyard: Command, wine: Path) -> None:
    modelyard("-C", wine, "ingest", "wine")
    found = facts(modelyard, wine, "diff", "wine@1", "wine@latest")
    assert found["same"] is True
    assert found["rows"]["added"] == found["rows"]["removed"] == 0


def test_lineage_of_a_built_version(modelyard: Command, built: Path) -> None:
    found = facts(modelyard, built, "lineage", "patients@1")
    version = facts(modelyard, built, "versions")[0]
    (run,) = found["runs"]
    assert run["run"]["id"] == version["run"]
    assert [v["version"]["package"] for v in run["versions"]] == [version["package"]]
    (source,) = found["dataset"]["sources"]
    code, output, _ = modelyard("-C", built, "lineage", "patients")
    assert code == 0
    assert source["sha256"] in output
    assert "screening@1" in output


def test_what_has_no_sha256_is_told_by_its_mark(modelyard: Command, tmp_path: Path) -> None:
    pl.DataFrame({"n": range(200), "m": [n % 7 for n in range(200)]}).write_csv(tmp_path / "rows.csv")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    source = f"http://127.0.0.1:{server.server_port}/rows.csv"
    (tmp_path / "modelyard.toml").write_text(
        f'[project]\nname = "p"\n[data.rows]\nsource = "{source}"\nkey = "n"\nsplit = {{ time = "m", after = 5 }}\n'
    )
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    server.shutdown()
    server.server_close()
    assert code == 0, complaint
    (told,) = facts(modelyard, tmp_path, "data", "rows")[0]["sources"]
    assert told["sha256"] == ""
    assert told["mark"] in modelyard("-C", tmp_path, "lineage", "rows")[1]
    assert modelyard("-C", tmp_path, "data", "show", "rows", "--html", tmp_path / "rows.html")[0] == 0
    page = (tmp_path / "rows.html").read_text()
    assert told["mark"][:40] in page
    assert "for testing, from 5 on in <bdi>m</bdi>" in page


def test_lineage_tells_releases(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    found = facts(modelyard, built, "lineage", "patients@1")
    releases = found["runs"][0]["versions"][0]["releases"]
    assert [(r["environment"], r["status"]) for r in releases] == [("test", "live")]
    assert "test: live since" in modelyard("-C", built, "lineage", "patients@1")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("data", "show", "wien"), "There is no dataset 'wien'"),
        (("data", "show", "wine@7"), "the latest version is wine@1"),
        (("data", "show", "loose"), "modelyard ingest loose"),
        (("data", "show", "wine@prod"), "no dataset version"),
        (("diff", "wine@1", "wine@99999999999999999999999"), "no dataset version"),
        (("lineage", "@"), "no dataset version"),
    ],
)
def test_a_reference_that_leads_nowhere(
    modelyard: Command, wine: Path, words: tuple[str, ...], sentence: str
) -> None:
    modelyard("-C", wine, "ingest", "wine")
    code, _, complaint = modelyard("-C", wine, *words)
    assert code == 2
    assert sentence in complaint
    assert "Traceback" not in complaint


def test_models_are_refused_by_name(modelyard: Command, built: Path) -> None:
    code, _, complaint = modelyard("-C", built, "data", "show", "screening")
    assert code == 2
    assert "'screening' is a model" in complaint
