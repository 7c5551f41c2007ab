"""A project's files as a job takes them along."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelyard.actions import snapshot as taken
from modelyard.actions.snapshot import snapshot, unpacked
from modelyard.errors import Misuse, UnknownName
from modelyard.project import Project, open_project

SETTINGS = """
[project]
name = "clinic"
[data.patients]
source = "data/large/*.csv"
target = "diagnosis"
[signing]
key = "keys/own.pem"
[models.screening]
code = "models/screening"
data = "patients"
[environments.test]
port = 8101
token_file = "keys/tokens"
[alerts.channels.team]
file = "keys/team"
"""
FILES = {
    "models/screening/model.py": "import modelyard\n",
    "common/shared.py": "X = 1\n",
    "data/large/a.csv": "a,diagnosis\n1,x\n",
    "keys/own.pem": "secret\n",
    "keys/tokens": "secret\n",
    "keys/team": "slack://secret\n",
    ".env": "SECRET=1\n",
    "notes.txt": "untracked\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "clinic"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "modelyard.toml").write_text(SETTINGS)
    return open_project(root, actor="ann")


def held(place: Path) -> set[str]:
    """What came out of the snapshot itself; links are this machine's."""
    return {str(p.relative_to(place)) for p in place.rglob("*") if p.is_file() and not p.is_symlink()}


@pytest.mark.parametrize("versioned", [True, False])
def test_files_come_along_and_secrets_do_not(project: Project, tmp_path: Path, versioned: bool) -> None:
    if versioned:
        (project.root / ".gitignore").write_text(".modelyard\ndata/large\n")
        subprocess.run(["git", "init", "-q", project.root], check=True)
    found = snapshot(project)
    assert snapshot(project) == found
    place = unpacked(project, found.digest, tmp_path / "job")
    there = held(place)
    assert {"modelyard.toml", "models/screening/model.py", "common/shared.py", "notes.txt"} <= there
    assert not there & {"keys/own.pem", "keys/tokens", "keys/team", ".env"}
    assert ("data/large/a.csv" in there) is not versioned
    assert (place / "data/large/a.csv").read_text() == FILES["data/large/a.csv"], (
        "of this machine, where ignored"
    )
    assert (place / "keys/tokens").read_text() == "secret\n"
    assert (place / ".modelyard").resolve() == project.home.resolve()
    (project.root / "common" / "shared.py").write_text("X = 2\n")
    assert snapshot(project).digest != found.digest
    assert (unpacked(project, found.digest, place) / "common" / "shared.py").read_text() == "X = 1\n"


def test_links_that_lead_out_come_along_as_what_they_lead_to(project: Project, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", project.root], check=True)
    outside = tmp_path / "disk"
    outside.mkdir()
    (outside / "rows.csv").write_text("a,diagnosis\n2,y\n")
    (project.root / "data/more.csv").symlink_to(outside / "rows.csv")
    (project.root / "data/whole").symlink_to(outside)
    (project.root / "data/gone").symlink_to("../../nowhere")
    (project.root / "data/same.csv").symlink_to("large/a.csv")
    place = unpacked(project, snapshot(project).digest, tmp_path / "job")
    assert (place / "data/more.csv").read_text() == "a,diagnosis\n2,y\n"
    assert not (place / "data/more.csv").is_symlink()
    assert (place / "data/same.csv").readlink() == Path("large/a.csv")
    assert not (place / "data/whole").exists()
    assert not (place / "data/gone").is_symlink()


def test_what_cannot_be_taken_along_is_said(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName):
        unpacked(project, "0" * 64, tmp_path / "job")
    assert not list(tmp_path.glob("job*"))
    monkeypatch.setattr(taken, "LARGEST", 10)
    with pytest.raises(Misuse, match="more than the"):
        snapshot(project)
