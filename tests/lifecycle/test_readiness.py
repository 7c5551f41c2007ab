"""Readiness through the command line: what commands leave on record is found, and what people wrote down."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]


def states(modelyard: Command, project: Path, *words: str) -> tuple[dict[str, str], dict[str, Any]]:
    code, output, complaint = modelyard("-C", project, "readiness", *(words or ("screening",)), "--json")
    assert code == 0, complaint
    found = json.loads(output)
    return {test["id"]: test["state"] for test in found["tests"]}, found


def test_what_commands_leave_on_record_is_found(modelyard: Command, built: Path) -> None:
    before, found = states(modelyard, built)
    assert found["version"] == "screening@1"
    assert {t for t, state in before.items() if state == "automated"} == {"D2", "I4", "M5", "O5"}
    for words in (["check", "screening"], ["reproduce", "screening@1"], ["deploy", "test"]):
        assert modelyard("-C", built, *words)[0] == 0
    after, found = states(modelyard, built)
    gained = {test for test, state in after.items() if state == "automated" and before[test] == "missing"}
    assert gained == {"D7", "I1", "I2", "I3", "I5"}
    assert found["live"] == ["test"]
    assert found["sections"]["infrastructure"] == 5
    assert found["score"] == min(found["sections"].values())
    actions = [event["action"] for event in json.loads(modelyard("-C", built, "audit", "--json")[1])]
    assert {"package.checked", "package.reproduced", "version.tried"} <= set(actions)
    [used] = json.loads(modelyard("-C", built, "data", "--json")[1])
    assert used["test_uses"] == 1  # it came out the same, so the test rows were not asked

    _ask(built)
    code, _, complaint = modelyard("-C", built, "monitor", "test", "screening")
    assert code == 0, complaint
    watched, found = states(modelyard, built)
    assert watched["O3"] == "automated", found
    assert modelyard("-C", built, "audit", "verify")[0] == 0


def _ask(project: Path) -> None:
    """The rows that it learnt from, so that nothing has moved."""
    header, *lines = (project / "data" / "patients.csv").read_text().splitlines()
    names = header.split(",")
    port = re.search(r"\[environments.test\].*?port = (\d+)", (project / "modelyard.toml").read_text(), re.S)
    assert port is not None
    door = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=20)
    aside = {"patient_id", "diagnosis"}
    sent = [
        {name: float(value) for name, value in zip(names, line.split(","), strict=True) if name not in aside}
        for line in lines[:300]
    ]
    door.request("POST", "/models/screening/predict", json.dumps({"rows": sent}))
    answer = door.getresponse()
    assert answer.status == 200, answer.read()
    door.close()


def test_a_least_score_and_pages(modelyard: Command, built: Path, tmp_path: Path) -> None:
    code, output, complaint = modelyard("-C", built, "readiness", "screening", "--min", "0")
    assert (code, complaint) == (0, "")
    assert "next: Run 'modelyard reproduce screening@1'." in output
    code, output, complaint = modelyard("-C", built, "readiness", "screening", "--summary", "--min", "2")
    assert code == 1
    assert output.count("\n") == 1
    assert output.startswith("screening@1 scores 1 of 7, the least of its sections (")
    assert "screening@1 scores 1, less than 2, for Features and data, " in complaint
    assert "'modelyard readiness screening@1' says what to do next" in complaint
    page, text = tmp_path / "a b" / "r.html", tmp_path / "r.md"
    assert modelyard("-C", built, "readiness", "screening", "--html", page, "--markdown", text)[0] == 0
    for link in re.findall(r'href="([^"]+)"', page.read_text()):
        assert link.startswith("http") or (page.parent / link).exists(), link
    assert "<script" not in page.read_text()
    assert len(re.findall(r"^\| [DMIO]\d ", text.read_text(), re.M)) == 28
    assert modelyard("-C", built, "readiness", "screening", "--html", built)[0] == 2
    assert modelyard("-C", built, "readiness", "patients")[0] == 2
    assert modelyard("-C", built, "readiness", "screening@9")[0] == 2


def test_the_example_of_the_page_is_read(modelyard: Command, built: Path) -> None:
    [example] = re.findall(
        r"```toml\n(# readiness.toml\n.*?)```", (ROOT / "docs" / "readiness.md").read_text(), re.S
    )
    (built / "readiness.toml").write_text(example)
    code, _, complaint = modelyard("-C", built, "readiness", "screening")
    assert code == 2
    assert "there is no file docs/privacy.md in the project" in complaint
    (built / "docs" / "privacy.md").write_text("Who may see what.")
    found, whole = states(modelyard, built)
    assert found["D5"] == "documented"
    assert found["D3"] == "automated"
    assert found["O4"] == "automated"
    assert whole["sections"]["data"] == 2.5


@pytest.mark.parametrize("text", ["\0", "[screening.tests.X1]\nwho = 'a'\n"])
def test_a_file_that_is_wrong_is_named(modelyard: Command, built: Path, text: str) -> None:
    (built / "readiness.toml").write_text(text)
    code, _, complaint = modelyard("-C", built, "readiness", "screening")
    assert code == 2
    assert "readiness.toml" in complaint
