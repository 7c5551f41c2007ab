"""``loadtest`` on a real package: rows of its dataset, verdict, exit code and page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--users", "4", "--seconds", "1", "--ramp", "0.2")


def test_a_package_is_served_asked_and_judged(modelyard: Command, built_once: Path, tmp_path: Path) -> None:
    page = tmp_path / "load.html"
    promises = ("--slo", "errors=0", "--slo", "p99=5s")
    code, output, errors = modelyard(
        "-C", built_once, "loadtest", "screening@1", *QUICK, *promises, "--html", page, "--json"
    )
    assert code == 0, errors + output
    told = json.loads(output)
    assert told["levels"][-1]["answered"] > 10
    assert [v["met"] for v in told["verdicts"]] == [True, True]
    assert 0 < told["levels"][-1]["cores"] < 8
    assert 20 < told["memory_mb"] < 2000
    (tmp_path / "load.json").write_text(output)
    pages = ("--html", tmp_path / "capacity.html", "--markdown", tmp_path / "capacity.md")
    words = ("--users", "50000", "--every", "10", "--price-core", "0.04", *pages, "--json")
    code, output, errors = modelyard("capacity", tmp_path / "load.json", *words)
    assert code == 0, errors
    found = json.loads(output)
    assert found["wish"]["rate"] == 5000
    assert found["replicas"] >= 2
    assert found["hourly"] == pytest.approx(found["cores"] * 0.04)
    assert 200 < found["log_bytes"] < 1000  # thirty features, two probabilities, a label, an id
    assert "promises kept" in (tmp_path / "capacity.html").read_text()
    assert (tmp_path / "capacity.md").read_text().count("| kept |") == 2
    text = page.read_text()
    assert "promises kept" in text
    assert text.count("<svg") >= 2
    assert "<script" not in text
    code, output, _ = modelyard("-C", built_once, "loadtest", "screening@1", *QUICK, "--slo", "p50=1us")
    assert code == 1
    assert "broken" in output


def test_arrivals_by_steps_give_an_estimate(modelyard: Command, built_once: Path) -> None:
    words = ("--rate", "40", "--steps", "2", "--seconds", "1", "--ramp", "0", "--rows", "3")
    code, output, _ = modelyard(
        "-C",
        built_once,
        "loadtest",
        "screening@1",
        *words,
        "--target-rate",
        "1000",
        "--cost",
        "0.1",
        "--json",
    )
    assert code == 0
    told = json.loads(output)
    assert [level["level"] for level in told["levels"]] == [20, 40]
    assert told["estimate"]["replicas"] >= 30
    assert told["estimate"]["cost"] == pytest.approx(told["estimate"]["replicas"] * 0.1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("screening@9",), 2, "9"),
        (("http://127.0.0.1:1/x",), 2, "--data"),
        (("http://127.0.0.1:1/x", "--data", "data/patients.csv"), 3, "127.0.0.1:1"),
        (("ftp://x", "--data", "data/patients.csv"), 2, "ftp"),
        (("screening@1", "--slo", "p99"), 2, "p99"),
        (("screening@1", "--rate", "5", "--think", "1"), 2, "--think"),
        (("screening@1", "--data", "nobody.csv"), 2, "nobody.csv"),
        (("screening@1", "--token-env", "NOBODY_SET_THIS"), 2, "NOBODY_SET_THIS"),
        (("screening@prod",), 2, "prod"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    modelyard: Command,
    built_once: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(built_once)
    got, _, errors = modelyard("-C", built_once, "loadtest", *words, *QUICK[:4])
    assert got == code, errors
    assert said in errors
