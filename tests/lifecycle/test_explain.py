"""``predict --explain``: one row through check, features, model and output."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rows(built_once: Path, tmp_path: Path) -> Path:
    """Three patients: as they are, one far outside the training data, one with a missing value."""
    with (built_once / "data" / "patients.csv").open() as file:
        [header, *found] = list(csv.reader(file))[:4]
    at = header.index("mean_radius")
    found[1][at], found[2][at] = "90", ""
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *found])
    return path


def test_contributions_lead_from_the_mean_to_the_answer(
    modelyard: Command, built_once: Path, rows: Path
) -> None:
    words = ("-C", built_once, "predict", "screening@1", rows, "--explain")
    code, output, errors = modelyard(*words, "--json")
    assert code == 0, errors
    told = json.loads(output)
    moved = sum(feature["contribution"] for feature in told["features"])
    assert told["base"] + moved == pytest.approx(told["answer"])
    assert told["answer"] == pytest.approx(told["probability"][told["prediction"]])
    assert len(told["features"]) == 30
    sizes = [abs(feature["contribution"]) for feature in told["features"]]
    assert sizes == sorted(sizes, reverse=True)
    code, text, _ = modelyard(*words)
    assert code == 0
    assert f"What moves the probability of {told['prediction']}" in text
    assert "patients@1" in text


def test_what_the_check_minds_is_told(modelyard: Command, built_once: Path, rows: Path) -> None:
    words = ("-C", built_once, "predict", "screening@1", rows, "--explain", "--row")
    code, output, _ = modelyard(*words, "2", "--json")
    marks = {feature["name"]: feature.get("mark") for feature in json.loads(output)["features"]}
    assert (code, marks["mean_radius"], marks["mean_area"]) == (0, "range", None)
    code, output, _ = modelyard(*words, "3")
    assert code == 1
    assert "refused" in output
    assert "mean_radius" in output


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--row", "1"), "--explain"), (("--explain", "--row", "9"), "3 rows")],
)
def test_a_row_that_is_none_is_refused(
    modelyard: Command, built_once: Path, rows: Path, words: tuple[str, ...], said: str
) -> None:
    code, _, errors = modelyard("-C", built_once, "predict", "screening@1", rows, *words)
    assert code == 2
    assert said in errors
