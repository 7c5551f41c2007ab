"""``init`` where something is already, and ``upgrade``."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.scaffold.create import RECORD

Command = Callable[..., tuple[int, str, str]]


def digests(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "held"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    remote = "https://me:hunter2@gitlab.com/team/held.git"
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True)
    return folder


def test_only_what_is_missing_is_added(modelyard: Command, repository: Path) -> None:
    (repository / "Makefile").write_text("all:\n\techo mine\n")
    (repository / ".gitignore").write_text("*.log\n.venv")
    (repository / "notes").mkdir()
    (repository / "notes" / "a.txt").write_text("mine")
    before = digests(repository)
    code, output, complaint = modelyard("init", "held", "--folder", repository, "--ci", "gitlab")
    assert code == 0, complaint
    assert "left as they were: Makefile" in output
    after = digests(repository)
    assert {k: after[k] for k in before if k != ".gitignore"} == {
        k: v for k, v in before.items() if k != ".gitignore"
    }
    assert "models/README.md" in after  # a repository that holds something gets no example
    assert ".gitlab-ci.yml" in after
    lines = (repository / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["*.log", ".venv"]
    assert lines.count(".venv") + lines.count(".venv/") == 1
    assert ".modelyard/" in lines
    assert "hunter2" not in "".join(
        p.read_text() for p in repository.rglob("*") if p.is_file() and ".git" not in p.parts
    )
    assert "https://gitlab.com/team/held/badges/main/pipeline.svg" in (repository / "README.md").read_text()


def test_a_new_repository_with_what_a_forge_puts_there_is_a_new_project(
    modelyard: Command, repository: Path
) -> None:
    (repository / "README.md").write_text("# held\n")
    assert modelyard("init", "held", "--folder", repository)[0] == 0
    assert (repository / "models" / "held" / "model.py").exists()
    assert (repository / "README.md").read_text() == "# held\n"


def test_a_pipeline_is_added_to_a_project_and_its_own_choices_stay(
    modelyard: Command, repository: Path
) -> None:
    assert (
        modelyard("init", "held", "--folder", repository, "--template", "regression", "--license", "none")[0]
        == 0
    )
    before = digests(repository)
    code, _, complaint = modelyard("init", "held", "--folder", repository, "--ci", "azure")
    assert code == 0, complaint
    after = digests(repository)
    assert set(after) - set(before) == {"azure-pipelines.yml"}
    assert {k: v for k, v in after.items() if k in before and k != RECORD} == {
        k: v for k, v in before.items() if k != RECORD
    }
    choices = json.loads((repository / RECORD).read_text())["choices"]
    assert (choices["template"], choices["ci"], choices["licence"]) == ("regression", "azure", "none")
    code, _, complaint = modelyard("init", "other", "--folder", repository)
    assert (code, "is called 'held'" in complaint) == (2, True)


def test_nothing_is_left_when_a_file_cannot_be_placed(modelyard: Command, repository: Path) -> None:
    if os.getuid() == 0:
        (repository / "models").write_text("a file where a folder must be")
    else:
        (repository / "models").mkdir(mode=0o500)
    before = digests(repository), sorted(repository.iterdir())
    code, _, complaint = modelyard("init", "held", "--folder", repository, "--template", "regression")
    assert (code, "nothing was left there" in complaint) == (3, True), complaint
    assert (digests(repository), sorted(repository.iterdir())) == before


def test_upgrade_brings_what_was_not_edited_and_leaves_what_was(modelyard: Command, repository: Path) -> None:
    assert modelyard("init", "held", "--folder", repository, "--ci", "github")[0] == 0
    workflow = repository / ".github" / "workflows" / "modelyard.yml"
    now = workflow.read_text()
    assert modelyard("-C", repository, "upgrade")[0] == 0
    # as an older Modelyard would have written the workflow
    workflow.write_text(now.replace("make all", "make old"))
    record = json.loads((repository / RECORD).read_text())
    record["files"][".github/workflows/modelyard.yml"] = hashlib.sha256(workflow.read_bytes()).hexdigest()
    (repository / RECORD).write_text(json.dumps(record))
    (repository / "Makefile").write_text((repository / "Makefile").read_text() + "# mine\n")
    (repository / ".pre-commit-config.yaml").unlink()
    code, output, _ = modelyard("-C", repository, "upgrade")
    assert code == 1
    assert "-      - run: make old" in output
    assert "edited since it was generated, kept by --write without --take: Makefile" in output
    assert "make old" in workflow.read_text()
    code, output, complaint = modelyard("-C", repository, "upgrade", "--write")
    assert code == 0, complaint
    assert workflow.read_text() == now
    assert (repository / ".pre-commit-config.yaml").exists()
    assert (repository / "Makefile").read_text().endswith("# mine\n")
    code, output, _ = modelyard("-C", repository, "upgrade", "--json")
    assert {one["path"]: one["state"] for one in json.loads(output)}["Makefile"] == "changed"
    assert modelyard("-C", repository, "upgrade", "--write", "--take", "Makefile")[0] == 0
    assert modelyard("-C", repository, "upgrade")[0] == 0


@pytest.mark.parametrize(
    ("break_it", "words", "says"),
    [
        (lambda f: (f / RECORD).unlink(), [], "it is not known what was generated"),
        (lambda f: (f / RECORD).write_text("{"), [], "cannot be read"),
        (lambda _: None, ["--write", "--take", "model.py"], "is no file that is kept up to date"),
    ],
)
def test_what_upgrade_cannot_do_is_a_sentence(
    modelyard: Command, repository: Path, break_it: Callable[[Path], None], words: list[str], says: str
) -> None:
    assert modelyard("init", "held", "--folder", repository)[0] == 0
    break_it(repository)
    code, _, complaint = modelyard("-C", repository, "upgrade", *words)
    assert (code, says in complaint) == (2, True), complaint
