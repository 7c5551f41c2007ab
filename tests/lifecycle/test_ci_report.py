"""``ci report``: a pull request that makes a model worse, one that breaks it, and one that changes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.ports import Forge

Command = Callable[..., tuple[int, str, str]]
MODEL = "models/screening/model.py"


class Kept:
    """A forge that keeps what it is given; short of what a comment may hold."""

    name, token, longest, summary, request = "Kept", "KEPT_TOKEN", 2500, "", "7"
    commit, page = "a" * 40, "https://forge/pipelines/5"

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.states: list[tuple[bool, str]] = []
        self.pictures: list[str] = []

    def comment(self, text: str, mark: str) -> None:
        assert mark in text
        self.comments.append(text)

    def state(self, passed: bool, sentence: str) -> None:
        self.states.append((passed, sentence))

    def picture(self, name: str, content: bytes) -> str | None:
        assert content.startswith(b"\x89PNG")
        self.pictures.append(name)
        return f"/uploads/{name}"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def once(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``main`` is built; ``worse`` fails a gate, ``broken`` cannot be trained, ``words`` changes a document."""
    folder = tmp_path_factory.mktemp("ci") / "screening"
    shutil.copytree(built_once, folder)
    git(folder, "init", "-q", "-b", "main")
    for name, value in (("user.email", "a@example.org"), ("user.name", "A")):
        git(folder, "config", name, value)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "main")
    code = (folder / MODEL).read_text()
    for branch, old, new in (
        ("worse", "data.features, data.target)", "data.features * 0, data.target)"),
        ("broken", "return model", "raise ValueError('broken')  # "),
    ):
        git(folder, "checkout", "-q", "-b", branch, "main")
        (folder / MODEL).write_text(code.replace(old, new))
        git(folder, "commit", "-qam", branch)
    git(folder, "checkout", "-q", "-b", "words", "main")
    (folder / "README.md").write_text("# words\n")
    git(folder, "commit", "-qam", "words")
    return folder


def report(
    modelyard: Command, folder: Path, forge: Forge | None, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    monkeypatch.setenv("KEPT_TOKEN", "x")
    monkeypatch.setattr("modelyard.cli.ci.here", lambda _: forge)
    return modelyard("-C", folder, "ci", "report", "--against", "main")


def test_a_worse_model_gets_a_red_state_and_a_comment(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(once, "checkout", "-q", "worse")
    code, _, complaint = modelyard("-C", once, "build", "--until", "evaluate")
    assert (code, "roc_auc" in complaint) == (1, True), complaint
    code, output, _ = modelyard("-C", once, "versions", "--json")
    assert len(json.loads(output)) == 1, "a trial registers nothing"
    forge = Kept()
    code, output, complaint = report(modelyard, once, forge, monkeypatch)
    assert (code, complaint) == (1, "")
    assert forge.states == [(False, "1 model, 1 changed; gates not met: screening")]
    (comment,) = forge.comments
    assert comment.startswith(
        "[//]: # (modelyard report)\n\n## Modelyard: 1 model, 1 changed; gates not met: screening"
    )
    assert "**not met** | ROC AUC | min" in comment
    assert len(comment) <= forge.longest
    assert "takes no longer comment" in comment
    assert "[The pipeline](https://forge/pipelines/5)" in comment
    assert any(name.startswith("screening-roc") for name in forge.pictures)
    forge.longest = 100_000
    report(modelyard, once, forge, monkeypatch)
    assert "](/uploads/screening-roc" in forge.comments[1]
    assert "data.features * 0" in forge.comments[1]


def test_a_model_that_cannot_be_trained_is_not_taken_for_the_one_before(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(once, "checkout", "-q", "broken")
    assert modelyard("-C", once, "build", "--until", "evaluate")[0] == 1
    forge = Kept()
    assert report(modelyard, once, forge, monkeypatch)[0] == 1
    assert forge.states[0][0] is False
    assert "no training of screening as in HEAD has finished" in forge.comments[0]


def test_what_changes_no_model_says_so(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git(once, "checkout", "-q", "words")
    assert modelyard("-C", once, "build", "--until", "evaluate")[0] == 0
    forge = Kept()
    assert report(modelyard, once, forge, monkeypatch)[0] == 0
    assert forge.states == [(True, "1 model, none changed; gates met")]
    assert "The same to the bit: screening." in forge.comments[0]
    page = tmp_path / "deep" / "report.md"
    code, output, _ = modelyard(
        "-C", once, "ci", "report", "--against", "main", "--no-post", "--markdown", page
    )
    assert (code, "wrote" in output) == (0, True)
    assert "The same to the bit" in page.read_text()
    code, _, complaint = modelyard("-C", once, "ci", "report", "--against", "origin/main")
    assert (code, "'origin/main' is no git revision here; fetch it" in complaint) == (2, True)
    git(once, "branch", "-f", "test", "main")  # called like an environment
    assert modelyard("-C", once, "ci", "report", "--against", "test", "--no-post")[0] == 0


def test_a_token_that_may_not_comment_fails_nothing(
    modelyard: Command, once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.errors import ForgeDenied

    class Denies(Kept):
        def comment(self, *_: str) -> None:
            raise ForgeDenied("Kept does not let this token POST /comments (403).")

    git(once, "checkout", "-q", "words")
    forge = Denies()
    code, output, complaint = report(modelyard, once, forge, monkeypatch)
    assert code == 0
    assert "no comment was made: Kept does not let this token" in complaint
    assert "## Modelyard: 1 model" in output
    assert forge.states
