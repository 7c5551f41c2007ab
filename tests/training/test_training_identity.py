from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.training import identify


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    code = tmp_path / "project" / "models" / "m"
    code.mkdir(parents=True)
    (code / "model.py").write_text("x = 1\n")
    (code / "words.txt").write_text("a")
    return tmp_path / "project"


def _digest(project: Path) -> str:
    return identify(project / "models" / "m", project).digest


def test_the_digest_is_of_names_and_content(project: Path) -> None:
    code, before = project / "models" / "m", _digest(project)
    os.utime(code / "model.py", (1, 1))
    assert _digest(project) == before
    (code / "words.txt").write_text("b")
    changed = _digest(project)
    (code / "words.txt").rename(code / "other.txt")
    renamed = _digest(project)
    (code / "sub").mkdir()
    (code / "other.txt").rename(code / "sub" / "other.txt")
    assert len({before, changed, renamed, _digest(project)}) == 4


def test_caches_and_hidden_files_are_no_part_of_it(project: Path) -> None:
    code, before = project / "models" / "m", _digest(project)
    for name in ("__pycache__/model.cpython-311.pyc", ".git/HEAD", ".hidden", "old.pyc", "sub/.cache/x"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text("noise")
    assert _digest(project) == before


def test_the_same_content_has_the_same_digest_elsewhere(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (project / "models" / "m").rename(other)
    assert identify(other, tmp_path).digest == identify(other, project).digest


def test_without_a_repository_there_is_no_commit(project: Path) -> None:
    code = identify(project / "models" / "m", project)
    assert (code.commit, code.dirty) == (None, False)


def test_git_tells_commit_and_dirty_state(project: Path) -> None:
    folder = project / "models" / "m"
    _git(project, "init", "-q")
    assert identify(folder, project).commit is None
    _git(project, "add", ".")
    _git(project, "commit", "-qm", "first")
    code = identify(folder, project)
    assert (code.commit, code.dirty) == (_git(project, "rev-parse", "HEAD"), False)
    (project / "data.schema.toml").write_text("as an ingest writes it")
    assert not identify(folder, project).dirty
    (project / "beside.py").write_text("untracked")
    assert not identify(folder, project).dirty
    assert identify(folder, project, {"beside.py": project / "beside.py"}).dirty
    (project / "modelyard.toml").write_text("[project]\n")
    assert identify(folder, project).dirty
    (project / "modelyard.toml").unlink()
    (folder / "model.py").write_text("x = 2\n")
    assert identify(folder, project).dirty


def test_a_commit_that_does_not_hold_the_code_is_not_named(project: Path) -> None:
    (project / ".gitignore").write_text("models/\n")
    _git(project, "init", "-q")
    _git(project, "add", ".")
    _git(project, "commit", "-qm", "first")
    assert identify(project / "models" / "m", project).commit is None


def test_a_hook_s_variables_do_not_lead_astray(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _git(project, "init", "-q")
    _git(project, "add", ".")
    _git(project, "commit", "-qm", "first")
    monkeypatch.setenv("GIT_DIR", str(project / "nowhere"))
    assert identify(project / "models" / "m", project).commit is not None


def test_without_git_there_is_no_commit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _git(project, "init", "-q")
    monkeypatch.setenv("PATH", str(project))
    assert identify(project / "models" / "m", project).commit is None


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match=r"There is no folder .*gone; put"):
        identify(tmp_path / "gone", tmp_path)


def test_pipes_are_left_aside_and_a_locked_file_is_one_sentence(project: Path) -> None:
    code, before = project / "models" / "m", _digest(project)
    os.mkfifo(code / "pipe")
    (code / "dangling").symlink_to("nowhere")
    assert _digest(project) == before
    (code / "sub").mkdir(mode=0)
    try:
        if not os.access(code / "sub", os.R_OK):
            with pytest.raises(AuthorError, match="sub cannot be read"):
                _digest(project)
        else:
            assert _digest(project) == before
    finally:
        (code / "sub").chmod(0o700)
