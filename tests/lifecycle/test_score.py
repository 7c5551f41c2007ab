"""``score``: a table of any size from and to any source, taken up where it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

Command = Callable[..., tuple[int, str, str]]

TIMES = 60


@pytest.fixture(scope="module")
def place(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built project's copy with larger tables: some rows of ``large.csv`` do not fit."""
    folder = tmp_path_factory.mktemp("score") / "screening"
    shutil.copytree(built_once, folder)
    patients = pl.read_csv(folder / "data" / "patients.csv")
    large = pl.concat([patients] * TIMES).with_columns(
        pl.format("P{}", pl.int_range(pl.len())).alias("patient_id")
    )
    large.write_parquet(folder / "large.parquet", row_group_size=5000)
    texts = large.cast({"mean_smoothness": pl.String}).with_row_index("at")
    texts.with_columns(
        pl.when(pl.col("at") % 1000 == 7)
        .then(pl.lit("junk"))
        .otherwise("mean_smoothness")
        .alias("mean_smoothness"),
        pl.when(pl.col("at") % 1000 == 9).then(None).otherwise("mean_radius").alias("mean_radius"),
    ).drop("at").write_csv(folder / "large.csv")
    return folder


@pytest.fixture(scope="module")
def whole(place: Path) -> pl.DataFrame:
    """What an undisturbed run makes of ``large.csv``."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "modelyard",
            "-C",
            place,
            "score",
            "screening@1",
            "large.csv",
            "whole.parquet",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pl.read_parquet(place / "whole.parquet")


def score(modelyard: Command, place: Path, *words: str) -> dict[str, object]:
    code, output, errors = modelyard("-C", place, "score", "screening@1", *words, "--json")
    assert code == 0, errors
    told: dict[str, object] = json.loads(output)
    return told


def test_every_row_is_answered_as_predict_answers_it(modelyard: Command, place: Path) -> None:
    told = score(modelyard, place, "data/patients.csv", "small.csv")
    assert (told["rows"], told["answered"], told["refused"], told["quarantine"]) == (569, 569, 0, None)
    found = pl.read_csv(place / "small.csv")
    assert found.columns == ["patient_id", "prediction", "probability_benign", "probability_malignant"]
    file = place / "data" / "patients.csv"
    code, output, _ = modelyard("-C", place, "predict", "screening@1", file, "--json")
    assert code == 0
    predicted = json.loads(output)
    assert found["prediction"].to_list() == predicted["prediction"]
    assert found["probability_benign"].to_list() == pytest.approx([p[0] for p in predicted["probability"]])
    assert found["patient_id"].to_list() == pl.read_csv(file)["patient_id"].to_list()


def test_rows_that_do_not_fit_go_to_a_file_with_their_reasons(place: Path, whole: pl.DataFrame) -> None:
    rows = 569 * TIMES
    bad = [at for at in range(rows) if at % 1000 in (7, 9)]
    assert whole.height == rows - len(bad)
    assert whole["patient_id"].to_list() == [f"P{at}" for at in range(rows) if at % 1000 not in (7, 9)]
    path = place / "whole.parquet.refused.parquet"
    refused = pl.read_parquet(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert refused["__row__"].to_list() == [at + 1 for at in bad]
    assert refused["patient_id"].to_list() == [f"P{at}" for at in bad]
    first, second = refused["__reasons__"].to_list()[:2]
    assert "mean_smoothness" in first[0]
    assert "junk" in first[0]
    assert "mean_radius" in second[0]
    assert "null" in second[0]


def test_what_was_killed_is_taken_up_and_nothing_is_lost_or_doubled(place: Path, whole: pl.DataFrame) -> None:
    words = ["-C", str(place), "score", "screening@1", "large.csv", "killed.parquet", "--json"]
    folder = place / ".modelyard" / "score"
    for wanted in (1, 2):  # parts that are done when it is killed
        process = subprocess.Popen([sys.executable, "-m", "modelyard", *words], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while len(list(folder.glob("*/parts/*.json"))) < wanted and time.monotonic() < until:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run([sys.executable, "-m", "modelyard", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumed"] > 0
    assert pl.read_parquet(place / "killed.parquet").equals(whole)
    refused = [pl.read_parquet(place / f"{name}.parquet.refused.parquet") for name in ("killed", "whole")]
    assert refused[0].equals(refused[1])
    assert not list(folder.iterdir())


@pytest.mark.parametrize("ending", ["jsonl", "arrow", "delta", "csv"])
def test_every_form_of_output_holds_the_same_rows(modelyard: Command, place: Path, ending: str) -> None:
    told = score(modelyard, place, "large.parquet", f"out.{ending}", "--keep", "mean_area")
    assert told["answered"] == 569 * TIMES
    read = {"jsonl": pl.read_ndjson, "arrow": pl.read_ipc, "delta": pl.read_delta, "csv": pl.read_csv}
    found = read[ending](str(place / f"out.{ending}"))
    assert found.columns == ["mean_area", "prediction", "probability_benign", "probability_malignant"]
    source = pl.read_parquet(place / "large.parquet")
    assert found["mean_area"].sort().to_list() == source["mean_area"].sort().to_list()


def test_a_database_and_a_dataset_are_written_and_read(modelyard: Command, place: Path) -> None:
    for rows in (569, 1138):
        score(modelyard, place, "patients@1", "sqlite:///scores.db", "--table", "scores", "--append")
        with sqlite3.connect(place / "scores.db") as database:
            [(count,)] = database.execute("select count(*) from scores").fetchall()
        assert count == rows
    score(modelyard, place, "patients", "sqlite:///scores.db", "--table", "scores")
    with sqlite3.connect(place / "scores.db") as database:
        assert database.execute("select count(*) from scores").fetchall() == [(569,)]
        pl.read_csv(place / "data" / "patients.csv").drop("patient_id").write_database(
            "input", f"sqlite:///{place / 'scores.db'}", engine="sqlalchemy"
        )
    score(modelyard, place, "sqlite:///scores.db", "again.parquet", "--query", "select * from input")
    again = pl.read_parquet(place / "again.parquet")
    assert again["row"].to_list() == list(range(1, 570))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nothing.csv", "x.csv"), 2, "nothing.csv"),
        (("data/patients.csv", "x.txt"), 2, ".csv"),
        (("data/patients.csv", "x.csv", "--table", "t"), 2, "--table"),
        (("data/patients.csv", "x.csv", "--append"), 2, "--append"),
        (("data/patients.csv", "sqlite:///x.db"), 2, "--table"),
        (("data/patients.csv", "s3://bucket/out"), 2, ".parquet"),
        (("data/patients.csv", "ftp://x/y.csv"), 2, "ftp://"),
        (("data/patients.csv", "data/patients.csv"), 2, "there already"),
        (("data/patients.csv", "x.csv", "--keep", "nobody"), 1, "nobody"),
        (("data/patients.csv", "no/folder/x.csv"), 3, "no/folder"),
        (("empty.csv", "x.csv"), 1, "no rows"),
        (("ragged.csv", "x.csv"), 1, "ragged.csv"),
        (("lacking.csv", "x.csv"), 1, "mean_radius"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    modelyard: Command, place: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    lines = (place / "data" / "patients.csv").read_text().splitlines()
    (place / "empty.csv").write_text(lines[0] + "\n")
    (place / "ragged.csv").write_text("\n".join([*lines[:3], lines[3] + ",1"]) + "\n")
    (place / "lacking.csv").write_text("patient_id,mean_texture\nP1,1.0\n")
    got, _, errors = modelyard("-C", place, "score", "screening@1", *words)
    assert got == code, errors
    assert said in errors
    assert not (place / "x.csv").exists()
