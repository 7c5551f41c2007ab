"""A project from a notebook: the cells of the documents in a real kernel, their tables in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import polars as pl
import pytest

import modelyard as my
from modelyard.errors import DataRefused, Misuse, RequestRefused, SettingsError, Tampered, UnknownName
from modelyard.notebook import Dataset, Model

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<img src=http://192.0.2.1/x onerror=document.title='owned'>"
FAILING = f"""
import modelyard as my
SPACE = {{"C": my.log_uniform(1e-3, 1e2, default=1.0)}}
def train(data, params):
    my.log_param("note", {HOSTILE!r})
    my.log_metric("<b>loss</b>", 0.5)
    raise ValueError({HOSTILE!r})
"""


def words(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "-C", str(folder), *command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture(scope="module")
def lab(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project with a training that failed in an author's hostile words; no test changes it but by reading."""
    folder = Path(shutil.copytree(built_once, tmp_path_factory.mktemp("lab") / "screening"))
    code = folder / "models/screening/model.py"
    before = code.read_text()
    code.write_text(FAILING)
    done = subprocess.run([sys.executable, "-m", "modelyard", "-C", str(folder), "train", "screening"])
    assert done.returncode == 1
    code.write_text(before)
    return folder


@pytest.fixture(scope="module")
def model(lab: Path) -> Model:
    return my.load("screening@latest", project=lab)


@pytest.fixture(scope="module")
def patients(lab: Path) -> Dataset:
    return my.data("patients@1", project=lab)


@pytest.fixture(scope="module")
def rows(patients: Dataset) -> pl.DataFrame:
    return patients.train.polars()


@pytest.fixture(scope="module")
def executed(lab: Path) -> Any:
    """The page's cells, run by a kernel in a folder of the project."""
    page = (ROOT / "docs/notebook.md").read_text()
    cells = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(cells) > 8, "the page has lost its cells"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = lab / "look.ipynb"
    nbformat.write(notebook, path)
    kernel = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})"
    program = (
        "import sys, nbformat; from nbclient import NotebookClient;"
        "book = nbformat.read(sys.argv[1], 4);"
        "book.cells.insert(0, nbformat.v4.new_code_cell(sys.argv[2]));"
        "NotebookClient(book, timeout=120, kernel_name='python3').execute();"
        "nbformat.write(book, sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path.name, kernel], cwd=lab, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return nbformat.read(path, 4)


def shown(executed: Any, beginning: str, kind: str = "text/html") -> str:
    """What the cell that begins so displays."""
    cell = next(cell for cell in executed.cells if cell.source.strip().startswith(beginning))
    return next(output.data[kind] for output in cell.outputs if "data" in output)


def test_the_cells_of_the_page_run_and_show_what_it_says(executed: Any) -> None:
    data = shown(executed, "import modelyard as my\n\npatients")
    assert "patients@1" in data
    assert "diagnosis (target)" in data
    card = shown(executed, "model = my.load")
    assert "screening@1" in card
    assert "ROC AUC" in card
    assert "probability_malignant" in shown(executed, "model.predict(rows.head(3))")
    listed = shown(executed, "model.predict([rows.drop", "text/plain")
    assert "'prediction'" in listed
    assert "'probability_benign'" in listed
    refused = next(c for c in executed.cells if c.source.startswith("try:"))
    assert "mean_radius" in refused.outputs[0].text
    assert "failed" in shown(executed, 'my.runs("screening")\n'[:-1])
    assert "screening@1" in shown(executed, 'my.versions("screening", "metrics')
    assert "param.C" in shown(executed, 'my.runs("screening").pandas()')
    assert "LogisticRegression" in shown(executed, "import sys\n", "text/plain")


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
def test_a_browser_shows_hostile_words_as_text_and_fetches_nothing(executed: Any, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    tables = [
        output.data["text/html"]
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if output.get("data", {}).get("text/html", "").startswith("<div><div style=")
    ]
    assert len(tables) == 4
    page_file = tmp_path / "cells.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(tables)}</body>")
    asked: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 900, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        text = page.inner_text("body")
        title = page.title()
        images = page.locator("img").count()
        scripts = page.locator("script").count()
        page.screenshot(path=str(tmp_path / "cells.png"), full_page=True)
        browser.close()
    assert HOSTILE[:40] in text
    assert "<b>loss</b>=0.5" in text
    assert (title, images, scripts) == ("", 0, 0)
    assert asked == [page_file.as_uri()]


def test_answers_come_in_the_kind_of_the_rows_and_are_the_command_lines(
    model: Model, rows: pl.DataFrame, lab: Path, tmp_path: Path
) -> None:
    some = rows.head(20)
    frame = some.to_pandas().set_index(pd.Index(range(100, 120)))
    as_pandas, as_polars = model.predict(frame), model.predict(some)
    as_dicts = model.predict(some.to_dicts())
    assert list(as_pandas.index) == list(range(100, 120))
    assert list(as_pandas.columns) == ["prediction", "probability_benign", "probability_malignant"]
    assert as_polars.to_dicts() == as_dicts == as_pandas.to_dict("records")
    some.write_parquet(tmp_path / "rows.parquet")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "modelyard", "-C", str(lab)),
            *("predict", "screening@1", str(tmp_path / "rows.parquet"), "--json"),
        ],
        capture_output=True,
        check=True,
    )
    told = pl.read_json(done.stdout).row(0, named=True)
    assert told["prediction"] == as_polars["prediction"].to_list()
    assert np.array_equal(told["probability"], as_polars.select(pl.exclude("prediction")).to_numpy())


def test_rows_that_do_not_fit_are_refused_in_a_sentence(model: Model, rows: pl.DataFrame) -> None:
    some = rows.head(2)
    frame = some.to_pandas()
    with pytest.raises(DataRefused, match=r"The rows: .*'mean_radius'"):
        model.predict(some.drop("mean_radius"))
    with pytest.raises(DataRefused, match="mean_radius"):
        model.predict(some.with_columns(pl.lit("wide").alias("mean_radius")))
    with pytest.raises(DataRefused, match="'mean_radius' twice"):
        model.predict(pd.concat([frame, frame[["mean_radius"]]], axis=1))
    with pytest.raises(DataRefused, match="'mean_radius' has no one type"):
        model.predict(frame.astype({"mean_radius": object}).assign(mean_radius=[1.0, "wide"]))
    with pytest.raises(RequestRefused, match="mean_radius"):
        model.predict([{"mean_radius": None}])
    with pytest.raises(RequestRefused, match="no rows"):
        model.predict([])
    for wrong in (some.lazy(), {"mean_radius": 1.0}, "rows", [1, 2], None):
        with pytest.raises(Misuse, match="a pandas or Polars frame or a list of dicts"):
            model.predict(wrong)
    assert model.predict(some.head(0)).height == 0


def test_names_that_are_not_there_say_what_is(lab: Path, tmp_path: Path) -> None:
    for ask, says in (
        (lambda: my.load("screning", project=lab), "known: screening"),
        (lambda: my.load("screening@9", project=lab), "There is no screening@9; the latest version is"),
        (lambda: my.load("screening@prod", project=lab), "Nothing of screening is live in prod"),
        (lambda: my.data("patients@9", project=lab), "There is no patients@9; the latest version is"),
        (lambda: my.runs("screning", project=lab), "known: screening"),
    ):
        with pytest.raises(UnknownName, match=says):
            ask()
    with pytest.raises(Misuse, match="'screening' is a model"):
        my.data("screening", project=lab)
    with pytest.raises(SettingsError, match=r"No modelyard\.toml"):
        my.load("screening", project=tmp_path)


def test_a_package_that_was_changed_is_not_opened(built_once: Path, tmp_path: Path) -> None:
    lab = Path(shutil.copytree(built_once, tmp_path / "screening"))
    model = my.load("screening", project=lab)
    shutil.rmtree(lab / ".modelyard/packages", ignore_errors=True)
    listed = next(file for file in model.manifest.files if file.path.startswith("model/"))
    blob = lab / ".modelyard/artifacts" / listed.sha256[:2] / listed.sha256[2:]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(Tampered):
        my.load("screening", project=lab)


def test_reading_test_rows_is_counted_and_reading_training_rows_is_not(lab: Path, patients: Dataset) -> None:
    before = patients.test_uses
    train, test = patients.train.polars(), patients.test.pandas()
    assert (len(train), len(test)) == (len(patients.train), len(patients.test))
    assert len(patients) == len(train) + len(test)
    assert set(train["patient_id"]).isdisjoint(test["patient_id"])
    assert patients.test_uses == before + 1
    assert patients.polars().height == len(patients)
    assert patients.test_uses == before + 2
    learnt = patients.train.training()
    assert len(learnt.features) == len(train)
    assert "diagnosis" not in learnt.features.columns
    assert patients.test_uses == before + 2
    words(lab, "audit", "verify")


def test_a_notebook_that_stays_open_keeps_gc_from_nothing(lab: Path, model: Model, patients: Dataset) -> None:
    assert patients.train.polars().height
    words(lab, "gc")
    assert model.ref == "screening@1"


def test_runs_are_a_sequence_a_frame_and_a_table(lab: Path) -> None:
    found = my.runs(project=lab)
    assert [run.status for run in found] == ["failed", "finished"]
    assert len(found[:1]) == 1
    frame = found.pandas()
    assert frame["param.note"].tolist()[0] == HOSTILE
    assert found.polars()["metric.<b>loss</b>"].to_list() == [0.5, None]
    assert HOSTILE not in found._repr_html_()
    assert "&lt;img" in found._repr_html_()
    assert repr(found).startswith("2 runs\nrun")
    assert repr(my.runs("screening", project=lab)[:0]) == "0 runs"


def test_plain_text_says_the_same_as_the_table(model: Model, patients: Dataset) -> None:
    assert repr(model).startswith("screening@1\n  answers      binary: benign, malignant")
    assert "mean_radius" in repr(patients)
    assert (
        repr(patients.test)
        == f"patients@1, test rows: {len(patients.test)} rows, read by .polars() or .pandas()"
    )


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test finds it finds by ``project``, not by where it runs."""
    monkeypatch.chdir(tmp_path)
