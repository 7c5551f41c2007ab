"""Ingests that are killed, run at once, or have no room or right: one version, or none, and nothing half."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
MODELYARD = [sys.executable, "-m", "modelyard"]


def patients(folder: Path, rows: int) -> None:
    lines = (
        f"{n},{20 + n * 7919 % 60},{50 + n / 8},{'abc'[n % 3]},{('yes', 'no')[n * 2654435761 % 7 < 3]}"
        for n in range(rows)
    )
    (folder / "data" / "a.csv").write_text("id,age,weight,ward,ill\n" + "\n".join(lines) + "\n")


def project(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "modelyard.toml").write_text(
        '[project]\nname = "clinic"\n[data.patients]\nsource = "data/*.csv"\ntarget = "ill"\nkey = "id"\n'
    )
    patients(folder, 2000)
    return folder


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    return project(tmp_path / "clinic")


def versions(modelyard: Command, folder: Path) -> list[tuple[int, int]]:
    """(number, rows) of each."""
    found = json.loads(modelyard("-C", folder, "data", "--json")[1])
    return [(v["number"], v["rows"]) for v in found]


def ingest(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, *MODELYARD, "-C", str(folder), "ingest"], capture_output=True, text=True, timeout=120
    )


def test_an_ingest_killed_at_any_moment_is_completed_by_the_next(modelyard: Command, clinic: Path) -> None:
    begun = time.monotonic()
    assert ingest(clinic).returncode == 0
    whole = time.monotonic() - begun
    chance = random.Random(8)
    wanted = [(1, 2000)]
    for at in range(6):
        rows = 2001 + at
        patients(clinic, rows)
        process = subprocess.Popen(
            [*MODELYARD, "-C", str(clinic), "ingest"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(whole * chance.uniform(0.3, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = versions(modelyard, clinic)
        assert now in (wanted, [*wanted, (at + 2, rows)]), "a half version"
        assert modelyard("-C", clinic, "doctor")[0] == 0
        code, output, complaint = modelyard("-C", clinic, "ingest")
        assert code == 0, complaint
        wanted.append((at + 2, rows))
        assert versions(modelyard, clinic) == wanted, output
    assert modelyard("-C", clinic, "doctor")[0] == 0
    assert modelyard("-C", clinic, "audit", "verify")[0] == 0
    for number in (1, 4, 7):
        file = clinic / f"{number}.parquet"
        assert modelyard("-C", clinic, "data", "checkout", f"patients@{number}", file)[0] == 0


def test_several_ingests_at_once_make_one_version(modelyard: Command, clinic: Path) -> None:
    command = [*MODELYARD, "-C", str(clinic), "ingest"]
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in several:
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, complaint
    assert versions(modelyard, clinic) == [(1, 2000)]
    assert modelyard("-C", clinic, "doctor")[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk of its own needs root and the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("spare", [0, 30_000, 60_000, 90_000])
def test_a_full_disk_makes_no_version_and_more_room_does(
    modelyard: Command, small_disk: Path, spare: int
) -> None:
    folder = project(small_disk / "clinic")
    assert modelyard("-C", folder, "ingest")[0] == 0
    patients(folder, 3000)
    ballast = folder / "ballast"
    ballast.write_bytes(b"\0" * max(0, shutil.disk_usage(small_disk).free - spare))
    done = ingest(folder)
    assert done.returncode in (0, 3), done.stderr
    if done.returncode:
        assert len(done.stderr.strip().splitlines()) == 1
        assert "disk" in done.stderr or "room" in done.stderr
    else:
        assert spare, "there was no room for a version"
    ballast.unlink()
    assert modelyard("-C", folder, "ingest")[0] == 0
    assert versions(modelyard, folder) == [(1, 2000), (2, 3000)]
    assert modelyard("-C", folder, "doctor")[0] == 0


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("data/a.csv", 1, "a.csv may not be read; give read permission"),
        (".modelyard/artifacts/tables/.scratch", 3, "Permission denied"),
        (".modelyard/artifacts/tables/patients", 3, "cannot be written (Permission denied)"),
        (".modelyard/artifacts/tables/patients/_delta_log", 3, "tables/patients cannot be written"),
        (".modelyard/artifacts", 3, "The artifact store"),
        (".modelyard/yard.db", 3, "is read-only"),
    ],
)
def test_what_may_not_be_touched_is_named(
    modelyard: Command, clinic: Path, place: str, code: int, says: str
) -> None:
    assert modelyard("-C", clinic, "ingest")[0] == 0
    patients(clinic, 3000)
    closed = clinic / place
    mode = closed.stat().st_mode
    closed.chmod(0o555 if closed.is_dir() else 0o000 if closed.suffix == ".csv" else 0o444)
    try:
        done = ingest(clinic, *without_rights())
    finally:
        closed.chmod(mode)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert versions(modelyard, clinic) == [(1, 2000)]
    assert modelyard("-C", clinic, "doctor")[0] == 0
    assert modelyard("-C", clinic, "ingest")[0] == 0
    assert versions(modelyard, clinic) == [(1, 2000), (2, 3000)]


def without_rights() -> list[str]:
    """Root may do everything unless it gives that away."""
    if os.getuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to give its rights away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
