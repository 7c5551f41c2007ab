"""A yard as one file, and back, through the command line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def saved(modelyard: Command, built: Path, tmp_path: Path) -> Path:
    """A backup of a built project's yard, whose facts and artifacts are gone."""
    file = tmp_path / "yard.tar"
    code, _, complaint = modelyard("-C", built, "yard", "backup", file)
    assert code == 0, complaint
    return file


def lost(project: Path) -> None:
    """All that the yard held, but for the keys."""
    for path in (project / ".modelyard").iterdir():
        if path.name != "keys":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def versions(modelyard: Command, project: Path) -> object:
    return json.loads(modelyard("-C", project, "versions", "--json")[1])


def test_what_was_lost_comes_back_and_answers(modelyard: Command, built: Path, saved: Path) -> None:
    before = versions(modelyard, built)
    rows = built / "data/patients.csv"
    answered = json.loads(modelyard("-C", built, "predict", "screening@1", rows, "--json")[1])
    assert saved.stat().st_mode & 0o077 == 0
    with tarfile.open(saved) as archive:
        names = archive.getnames()
    assert names[0] == "backup.json"
    assert not [name for name in names if "keys" in name or name.endswith((".pem", "-wal", ".lock"))]
    lost(built)
    code, output, complaint = modelyard("-C", built, "yard", "restore", saved, "--json")
    assert code == 0, complaint
    carried = json.loads(output)
    assert carried["facts"] > 10
    assert carried["artifacts"] > 10
    assert versions(modelyard, built) == before
    assert json.loads(modelyard("-C", built, "predict", "screening@1", rows, "--json")[1]) == answered
    assert modelyard("-C", built, "audit", "verify")[0] == 0
    assert modelyard("-C", built, "doctor")[0] == 0
    assert modelyard("-C", built, "data", "checkout", "patients@1", built / "again.csv")[0] == 0
    code, output, complaint = modelyard("-C", built, "build")
    assert (code, "screening@1" in output) == (0, True), complaint  # and it goes on where it was
    code, _, complaint = modelyard("-C", built, "yard", "restore", saved)
    assert (code, "holds facts of a yard already" in complaint) == (2, True)


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None], *, more: str = "") -> None:
    """The archive again, each file as ``change`` has it."""
    whole: list[tuple[str, bytes]] = []
    with tarfile.open(file) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            if (kept := change(member.name, content.read())) is not None:
                whole.append((member.name, kept))
    if more:
        whole.append((more, b"more"))
    with tarfile.open(file, "w") as archive:
        for name, content in whole:
            told = tarfile.TarInfo(name)
            told.size = len(content)
            archive.addfile(told, BytesIO(content))


def _flipped(name: str, content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1]) if name == "yard.db" else content


def _outward(name: str, content: bytes) -> bytes:
    if name != "backup.json":
        return content
    told = json.loads(content)
    told["files"].append({"path": "../../out", "size": 4, "sha256": hashlib.sha256(b"more").hexdigest()})
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("flipped", "yard.db was changed since it was written"),
        ("missing", "was cut: 1 of its files"),
        ("more", "more.txt is not what its list of files says"),
        ("outward", "leads out of it"),
        ("cut", "is no whole backup"),
        ("headless", "does not begin with backup.json"),
        ("nonsense", "is no whole backup"),
    ],
)
def test_a_damaged_one_restores_nothing_and_says_what(
    modelyard: Command, built: Path, saved: Path, damage: str, said: str
) -> None:
    if damage == "flipped":
        rewritten(saved, _flipped)
    elif damage == "missing":
        rewritten(saved, lambda name, content: None if name == "yard.db" else content)
    elif damage == "more":
        rewritten(saved, lambda _, content: content, more="more.txt")
    elif damage == "outward":
        rewritten(saved, _outward, more="../../out")
    elif damage == "headless":
        rewritten(saved, lambda name, content: None if name == "backup.json" else content)
    elif damage == "cut":
        os.truncate(saved, saved.stat().st_size // 2)
    else:
        saved.write_bytes(b"nonsense" * 1000)
    lost(built)
    code, _, complaint = modelyard("-C", built, "yard", "restore", saved)
    assert (code, said in complaint) == (1, True), complaint
    assert versions(modelyard, built) == []
    assert not (built.parent / "out").exists()
    assert list((built / ".modelyard/scratch").glob("restore-*")) == []


def test_files_that_are_there_and_files_that_are_not(modelyard: Command, built: Path, saved: Path) -> None:
    content = saved.read_bytes()
    code, _, complaint = modelyard("-C", built, "yard", "backup", saved)
    assert (code, "is there already" in complaint) == (2, True)
    assert saved.read_bytes() == content
    code, _, complaint = modelyard("-C", built, "yard", "restore", saved.parent / "none.tar")
    assert (code, "There is no backup" in complaint) == (2, True)
    gone = next((built / ".modelyard/artifacts").glob("[0-9a-f][0-9a-f]/*"))
    gone.unlink()
    code, _, complaint = modelyard("-C", built, "yard", "restore", saved)
    assert (code, "holds facts of a yard already" in complaint) == (2, True)
    assert not gone.exists(), "a refusal brings nothing"
    code, _, complaint = modelyard("-C", built, "yard", "backup", "/proc/nowhere/b.tar")
    assert (code, "cannot be written" in complaint) == (3, True)


def test_a_killed_one_leaves_no_file_and_is_made_again(
    built: Path, tmp_path: Path, modelyard: Command
) -> None:
    file = tmp_path / "b.tar"
    command = [sys.executable, "-m", "modelyard", "-C", str(built), "yard", "backup", str(file)]
    for seconds in (0.6, 0.9, 1.2):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        running.send_signal(signal.SIGKILL)
        running.wait()
        if file.exists():  # it was quicker
            with tarfile.open(file) as archive:
                assert "yard.db" in archive.getnames()
            file.unlink()
    code, _, complaint = modelyard("-C", built, "yard", "backup", file)
    assert code == 0, complaint
