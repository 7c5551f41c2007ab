"""Stored rows that were damaged: every reader names the file, and ``doctor`` finds all of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from modelyard.data import inspect
from modelyard.project import open_project

Command = Callable[..., tuple[int, str, str]]


def emptied(part: Path) -> None:
    part.write_bytes(b"")


def cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])


def flipped(part: Path) -> None:
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)


def rewritten(part: Path) -> None:
    """Another table, whole in itself."""
    pl.read_parquet(part).reverse().write_parquet(part)


DAMAGES = [emptied, cut, flipped, rewritten, Path.unlink]


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What other tests' killed commands left is not found here."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def twice(modelyard: Command, built: Path) -> Path:
    """A project with ``patients@2``, which has a row less."""
    source = built / "data" / "patients.csv"
    source.write_text("\n".join(source.read_text().splitlines()[:-1]) + "\n")
    assert modelyard("-C", built, "ingest")[0] == 0
    return built


def parts(folder: Path, number: int) -> list[Path]:
    project = open_project(folder)
    with project.yard.read() as facts:
        version = facts.datasets.get("patients", number)
    assert version is not None
    return [project.tables / version.table / name for name in version.parts]


def told(modelyard: Command, folder: Path) -> tuple[int, list[dict]]:
    code, output, _ = modelyard("-C", folder, "doctor", "--json")
    return code, json.loads(output)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_by_every_reader(
    modelyard: Command, twice: Path, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    (part,) = parts(twice, 2)
    damage(part)
    for words in (
        ["train", "screening"],
        ["data", "show", "patients@2"],
        ["data", "checkout", "patients@2", tmp_path / "out.parquet"],
        ["diff", "patients@1", "patients@2"],
    ):
        code, _, complaint = modelyard("-C", twice, *words)
        assert code == 1, (words, complaint)
        assert part.name in complaint
        assert "was changed or damaged" in complaint or "is gone" in complaint
        assert len(complaint.strip().splitlines()) == 1
    assert not (tmp_path / "out.parquet").exists()
    code, problems = told(modelyard, twice)
    assert code == 1
    (problem,) = problems
    assert problem["where"] == "patients@2"
    assert part.name in problem["sentence"]
    code, output, _ = modelyard("-C", twice, "doctor")
    assert code == 1
    assert "Nothing is wrong" not in output
    assert modelyard("-C", twice, "data", "checkout", "patients@1", tmp_path / "one.parquet")[0] == 0


def test_the_same_sources_mend_it(modelyard: Command, twice: Path) -> None:
    (part,) = parts(twice, 2)
    content = part.read_bytes()
    part.unlink()
    code, output, complaint = modelyard("-C", twice, "ingest")
    assert code == 0, complaint
    assert "patients@3" not in output
    assert part.read_bytes() == content
    assert told(modelyard, twice) == (0, [])


def test_a_table_whose_log_is_gone_and_one_that_lists_other_files(modelyard: Command, twice: Path) -> None:
    table = parts(twice, 2)[0].parent
    log = table / "_delta_log" / f"{1:020}.json"
    content = log.read_text()
    log.write_text(content.replace(parts(twice, 2)[0].name, parts(twice, 1)[0].name))
    code, problems = told(modelyard, twice)
    assert code == 1
    assert problems[0]["sentence"] == "patients@2 is not made of the files that it was."
    shutil.rmtree(table / "_delta_log")
    code, problems = told(modelyard, twice)
    assert code == 1
    assert [p["where"] for p in problems] == ["patients@1", "patients@2"]


def test_what_belongs_to_no_version_is_waste_and_nothing_wrong(modelyard: Command, twice: Path) -> None:
    stray = parts(twice, 1)[0].with_name(f"{'0' * 16}-{'1' * 64}.parquet")
    stray.write_bytes(b"left by an ingest that was killed")
    assert told(modelyard, twice) == (0, []), "it may be a running ingest's"
    project = open_project(twice)
    with project.yard.read() as facts:
        versions = facts.datasets.list()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    (problem,) = inspect(versions, project.tables, now=later)
    assert (problem.where, problem.waste) == (str(stray), True)
    assert "33 bytes" in problem.sentence


def killed_ingest(folder: Path, temporary: Path) -> None:
    """An ingest killed when it had begun to keep rows."""
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "-C", str(folder), "ingest"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not list((folder / ".modelyard/artifacts/tables/.scratch").glob("rows-*/.owner")):
        assert time.monotonic() < end
        assert process.poll() is None
    process.kill()
    process.wait()


def test_what_a_killed_command_left_is_found_and_removed(
    modelyard: Command, built: Path, own_temporary_files: Path
) -> None:
    with (built / "data" / "patients.csv").open("a") as out:
        rows = (built / "data" / "patients.csv").read_text().splitlines()[1:]
        for n in range(200):
            out.write("\n".join(f"Q{n}-{row}" for row in rows) + "\n")
    killed_ingest(built, own_temporary_files)
    (left,) = (built / ".modelyard/artifacts/tables/.scratch").iterdir()
    code, problems = told(modelyard, built)
    assert code == 0
    assert [(p["where"], p["waste"]) for p in problems] == [(str(left), True)]
    code, output, _ = modelyard("-C", built, "doctor")
    assert code == 0
    assert "run 'modelyard gc'" in output
    assert "Nothing is wrong" in output
    assert "would remove scratch" in modelyard("-C", built, "gc", "--dry-run")[1]
    assert left.exists()
    before = json.loads(modelyard("-C", built, "audit", "--json")[1])
    code, output, complaint = modelyard("-C", built, "gc")
    assert code == 0, complaint
    assert str(left) in output
    assert not left.exists()
    assert json.loads(modelyard("-C", built, "audit", "--json")[1]) == before
    assert told(modelyard, built) == (0, [])
    code, output, _ = modelyard("-C", built, "ingest")
    assert code == 0
    assert "patients@2" in output
