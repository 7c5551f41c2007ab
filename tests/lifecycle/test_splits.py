"""Splits and findings as a person meets them: every example of the documents, and what changes bring."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sklearn

Command = Callable[..., tuple[int, str, str]]
DOCS = Path(__file__).parent.parent.parent / "docs"
HEAD = '[project]\nname = "clinic"\n'


def examples(page: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


def visits(rows: int = 600) -> pl.DataFrame:
    draw = np.random.default_rng(5)
    ill = draw.integers(0, 2, rows)
    day = pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 2, 28), eager=True)
    return pl.DataFrame(
        {
            "visit_id": range(rows),
            "patient_id": [f"p{n // 3}" for n in range(rows)],
            "visited_at": [day[n * len(day) // 600 % len(day)] for n in range(rows)],
            "part": [["holdout", "learn", "check", "learn"][n % 4] for n in range(rows)],
            "weight": (draw.normal(70, 9, rows) + 9 * ill).round(2),
            "ill": np.where(ill == 1, "yes", "no"),
        }
    )


def ingest(modelyard: Command, folder: Path, frame: pl.DataFrame, settings: str) -> dict:
    """The version that ``modelyard ingest`` made."""
    frame.write_csv(folder / "visits.csv")
    (folder / "modelyard.toml").write_text(HEAD + settings)
    code, output, complaint = modelyard("-C", folder, "ingest", "--json")
    assert code == 0, complaint
    return json.loads(output)[0]["version"]


def dealt(modelyard: Command, folder: Path) -> pl.DataFrame:
    code, _, complaint = modelyard(
        "-C", folder, "data", "checkout", "visits", folder / "out.parquet", "--split", "--force"
    )
    assert code == 0, complaint
    return pl.read_parquet(folder / "out.parquet")


@pytest.mark.parametrize("at", range(len(examples("splits.md"))))
def test_every_example_deals_and_never_takes_a_test_row_back(
    modelyard: Command, tmp_path: Path, at: int
) -> None:
    settings = examples("splits.md")[at]
    frame = visits()
    frame.select("visit_id", "weight").head(50).write_csv(tmp_path / "holdout.csv")
    ingest(modelyard, tmp_path, frame.head(400), settings)
    first = dealt(modelyard, tmp_path)
    version = ingest(modelyard, tmp_path, frame.reverse(), settings)
    later = dealt(modelyard, tmp_path)
    assert "moved" not in {f["kind"] for f in version["findings"]}
    both = first.join(later, on="visit_id", suffix="_later")
    assert both.height == 400
    assert both["__split__"].equals(both["__split___later"].alias("__split__"))
    assert set(first["__split__"]) == {"train", "test"}
    if "group" in settings:
        assert later.group_by("patient_id").agg(pl.col("__split__").n_unique())["__split__"].max() == 1
    if "folds" in settings:
        assert set(later["__fold__"]) == set("01234")
    if "holdout =" in settings:
        assert sorted(later.filter(pl.col("__split__") == "test")["visit_id"]) == list(range(50))
    code, output, _ = modelyard("-C", tmp_path, "ingest")
    assert (code, "nothing new" in output) == (0, True)


def test_a_changed_rule_makes_a_version_and_says_which_rows_moved(modelyard: Command, tmp_path: Path) -> None:
    base = '[data.visits]\nsource = "visits.csv"\ntarget = "ill"\nkey = ["visit_id", "visited_at"]\n'
    early = base + 'split = { time = "visited_at", after = "2026-02-01" }\n'
    ingest(modelyard, tmp_path, visits(), early)
    version = ingest(modelyard, tmp_path, visits(), early.replace("02-01", "02-15"))
    assert version["number"] == 2
    (moved,) = [f for f in version["findings"] if f["kind"] == "moved"]
    february = pl.col("visited_at").is_between(pl.date(2026, 2, 1), pl.date(2026, 2, 14))
    assert moved["figure"] == visits().filter(february).height > 0
    (tmp_path / "modelyard.toml").write_text(HEAD + early.replace("02-01", "02-20") + 'refuse = ["moved"]\n')
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code != 0
    assert "are training rows now" in complaint
    assert json.loads(modelyard("-C", tmp_path, "data", "--json")[1])[-1]["number"] == 2


def test_findings_are_told_and_a_changed_holdout_is_noticed(modelyard: Command, tmp_path: Path) -> None:
    settings = examples("splits.md")[-2]
    assert "holdout" in settings
    frame = visits().with_columns(treated=pl.col("ill") == "yes")
    frame.select("visit_id").head(50).write_csv(tmp_path / "holdout.csv")
    ingest(modelyard, tmp_path, frame, settings)
    frame.select("visit_id").head(60).write_csv(tmp_path / "holdout.csv")
    code, output, _ = modelyard("-C", tmp_path, "ingest")
    assert code == 0
    assert output.startswith("visits@2: 600 rows, 60 held back")
    assert "found: Column 'treated' alone tells 'ill' (area under the ROC curve 1.000)" in output
    assert "Column 'treated' alone tells" in modelyard("-C", tmp_path, "data", "show", "visits")[1]
    (tmp_path / "modelyard.toml").write_text(HEAD + examples("leakage.md")[0])
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code != 0
    assert "'refuse' names target_leak" in complaint


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ('{ group = "a", time = "b" }', "'group' and 'time' exclude each other"),
        ('{ after = "2026-01-01" }', "'after' needs 'time'"),
        ('{ time = "visited_at", folds = 5 }', "would train on what is later"),
        ('{ group = "patent_id" }', "did you mean 'patient_id'?"),
        ('{ holdout = "nowhere.csv" }', "nowhere.csv"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    modelyard: Command, tmp_path: Path, split: str, message: str
) -> None:
    visits().write_csv(tmp_path / "visits.csv")
    table = f'[data.visits]\nsource = "visits.csv"\ntarget = "ill"\nkey = "visit_id"\nsplit = {split}\n'
    (tmp_path / "modelyard.toml").write_text(HEAD + table)
    code, _, complaint = modelyard("-C", tmp_path, "ingest")
    assert code != 0
    assert message in complaint
    assert complaint.count("\n") == 1


def test_training_has_the_folds_and_uses_of_the_test_split_are_counted(
    modelyard: Command, tmp_path: Path
) -> None:
    code = re.findall(r"```python\n(.*?)```", (DOCS / "splits.md").read_text(), flags=re.DOTALL)[0]
    folder = tmp_path / "models" / "sick"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text("SPACE = {}\n" + code)
    (folder / "requirements.model").write_text(f"scikit-learn=={sklearn.__version__}\n")
    frame = visits().drop("visited_at", "part")
    ingest(
        modelyard,
        tmp_path,
        frame,
        examples("splits.md")[-1] + '[models.sick]\ncode = "models/sick"\ndata = "visits"\n',
    )
    assert [v["test_uses"] for v in json.loads(modelyard("-C", tmp_path, "data", "--json")[1])] == [0]
    done = modelyard("-C", tmp_path, "train", "sick")
    assert done[0] == 0, done[2]
    for _ in range(2):
        done = modelyard("-C", tmp_path, "evaluate", "sick")
        assert done[0] == 0, done[2]
    assert [v["test_uses"] for v in json.loads(modelyard("-C", tmp_path, "data", "--json")[1])] == [2]
    assert "test uses" in modelyard("-C", tmp_path, "data")[1]


def test_a_column_forbidden_as_a_feature_moves_no_row(modelyard: Command, tmp_path: Path) -> None:
    settings = '[data.visits]\nsource = "visits.csv"\ntarget = "ill"\n'
    frame = visits().drop("visit_id")
    ingest(modelyard, tmp_path, frame, settings)
    first = dealt(modelyard, tmp_path)
    path = tmp_path / "data" / "visits.schema.toml"
    path.write_text("[columns.patient_id]\nforbidden = true\n")
    version = ingest(modelyard, tmp_path, frame, settings)
    assert version["number"] == 2
    assert "moved" not in {f["kind"] for f in version["findings"]}
    assert dealt(modelyard, tmp_path)["__split__"].equals(first["__split__"])
