"""Untouched files are not read again; whatever was done to one, it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.data import fingerprint, stamps
from modelyard.settings import SourceSettings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a project, read once; no waiting until its times are settled."""
    monkeypatch.setattr(stamps, "_SETTLED", 0)
    (tmp_path / ".modelyard").mkdir()
    file = tmp_path / "visits.csv"
    file.write_bytes(b"a,b\n1,2\n")
    assert held(file) == sha256(file)
    return file


def held(file: Path) -> str:
    found = fingerprint((SourceSettings(path=file.name),), file.parent)
    assert found is not None
    return found[0].sha256


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(hashlib, "file_digest", refuse)


def test_an_untouched_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sha256(file)
    no_reading(monkeypatch)
    assert held(file) == expected


def overwrite(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4)
        stream.write(b"3")


def replace(file: Path) -> None:
    other = file.with_name("other.csv")
    other.write_bytes(b"a,b\n7,2\n")
    other.replace(file)


def append(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"5,6\n")


@pytest.mark.parametrize("change", [overwrite, replace, append])
def test_a_change_is_seen_though_its_time_is_put_back(file: Path, change: Callable[[Path], None]) -> None:
    before, times = sha256(file), file.stat()
    change(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert held(file) == sha256(file) != before


def test_a_file_just_written_is_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_SETTLED", 3_600_000_000_000)
    append(file)
    assert held(file) == sha256(file)
    no_reading(monkeypatch)
    with pytest.raises(AssertionError, match="it was read"):
        held(file)


@pytest.mark.parametrize("content", [b"", b"{", b'{"visits.csv": [1]}', b"\xff\x00"])
def test_a_damaged_note_is_no_note(file: Path, content: bytes) -> None:
    (file.parent / ".modelyard" / "stamps.json").write_bytes(content)
    assert held(file) == sha256(file)


def test_nothing_is_written_where_there_is_no_project(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_bytes(b"a\n1\n")
    assert held(file) == sha256(file)
    assert [path.name for path in tmp_path.iterdir()] == ["visits.csv"]
