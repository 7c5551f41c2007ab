"""Training on a real Ray cluster of two nodes on this machine, through the command line."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not here; run: pip install 'modelyard[ray]'"),
]

TUNED = "[models.screening]\ntune = { trials = 5, jobs = 2, folds = 2 }"
FAILING = """    if params['C'] < 0.05: raise ValueError('too little')
    if params['C'] > 10: import os; os._exit(3)
    model ="""
SLOW = """    import os, time
    def seats(): return {{line.split()[1] for line in open({fits!r})}}
    with open({fits!r}, 'a') as file: file.write(str(params['C']) + ' ' + os.getcwd() + chr(10))
    due = time.monotonic() + 60
    while len(seats()) < 2 and time.monotonic() < due: time.sleep(0.02)
    time.sleep(0.7)
    model ="""
"""Each fit says so, and none ends before both nodes are at work."""


def run(project: Path, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environ})


def train(project: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return run(project, "train", "screening", **environ)


def begin(project: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "train", "screening"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def values(project: Path) -> dict[int, tuple[str, float | None, str | None]]:
    shown: dict[str, Any] = json.loads(run(project, "runs", "show", "screening@run", "--json").stdout)
    return {
        trial["number"]: (trial["state"], trial.get("value"), trial.get("error")) for trial in shown["trials"]
    }


def newest(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(project, "runs", "--json").stdout)[0]
    return found


def begun(fits: Path) -> list[tuple[str, str]]:
    """Of each fit that began, the parameter and the folder that it ran in."""
    lines = fits.read_text().splitlines() if fits.exists() else []
    return [(line.split()[0], line.split()[1]) for line in lines]


def waiting(fits: Path, *, trials: int = 1, seats: int = 1) -> None:
    """Until so many trials have begun on so many seats."""
    due = time.monotonic() + 120
    while len({one for one, _ in begun(fits)}) < trials or len({one for _, one in begun(fits)}) < seats:
        assert time.monotonic() < due, "no trial began"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster() -> Iterator[subprocess.Popen[str]]:
    """The process that holds the cluster; ``address`` is where it is."""
    os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(24)
    script = Path(__file__).with_name("ray_cluster.py")
    process = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        process.communicate(timeout=60)
        pytest.skip("Ray gives a node thirty seconds to start, and this machine is too busy for it")
    os.environ["RAY_ADDRESS"] = address
    yield process
    assert process.stdin is not None
    process.communicate(timeout=60)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ADDRESS"):
        del os.environ[name]


def tuned(built: Path, folder: Path, code: str) -> Path:
    """A copy that is tuned, with ``code`` before the model is made."""
    place = Path(shutil.copytree(built, folder / "screening"))
    for file, old, new in (
        (place / "modelyard.toml", "[models.screening]", TUNED),
        (place / "models/screening/model.py", "    model =", code),
    ):
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
    return place


@pytest.fixture(scope="module")
def here(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tuned and trained on this machine, with trials that fail."""
    folder = tuned(built_once, tmp_path_factory.mktemp("here"), FAILING)
    done = train(folder)
    assert done.returncode == 0, done.stderr
    return folder


def moved(project: Path) -> Path:
    """To the cluster."""
    settings = project / "modelyard.toml"
    settings.write_text(settings.read_text() + '\n[engine]\nkind = "ray"\n')
    return project


@pytest.mark.usefixtures("cluster")
def test_numbers_failures_and_the_package_are_those_of_this_machine(
    built_once: Path, here: Path, tmp_path: Path
) -> None:
    there = moved(tuned(built_once, tmp_path, FAILING))
    done = train(there)
    assert done.returncode == 0, done.stderr
    found = values(there)
    assert found == values(here)
    said = " ".join(error for _, _, error in found.values() if error)
    assert "models/screening/model.py, line" in said
    assert "too little" in said
    assert "exit code 3" in said
    run = newest(there)
    assert run["candidate"] == newest(here)["candidate"]
    assert run["resources"]["peak_bytes"] > 0


@pytest.mark.usefixtures("cluster")
def test_a_table_is_answered_as_on_this_machine(built_once: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(built_once, tmp_path / "screening"))
    number = pl.int_range(pl.len())
    pl.concat([pl.read_csv(project / "data/patients.csv")] * 8).with_columns(
        patient_id=pl.format("P{}", number),
        mean_radius=pl.when(number % 1000 == 9).then(None).otherwise("mean_radius"),
    ).write_parquet(tmp_path / "table.parquet", row_group_size=700)
    for engine in ("local", "ray"):
        out = tmp_path / f"{engine}.parquet"
        done = run(
            project, "score", "screening@1", tmp_path / "table.parquet", out, MODELYARD_ENGINE__KIND=engine
        )
        assert done.returncode == 0, done.stderr
        assert "5 rows refused" in done.stdout
    for name in ("{}.parquet", "{}.parquet.refused.parquet"):
        here, there = (pl.read_parquet(tmp_path / name.format(engine)) for engine in ("local", "ray"))
        assert len(here) > 0
        assert here.equals(there)


def test_a_study_goes_on_after_ctrl_c_and_without_a_lost_node(
    cluster: subprocess.Popen[str], built_once: Path, tmp_path: Path
) -> None:
    fits = tmp_path / "fits"
    there = moved(tuned(built_once, tmp_path, SLOW.format(fits=str(fits))))
    process = begin(there)
    waiting(fits, trials=3)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 130, complaint
    assert "of 5 trials, which are kept" in complaint
    stopped = newest(there)
    assert stopped["error"] == "interrupted"
    kept = stopped["study"]["complete"]
    assert kept >= 1
    fits.unlink()

    process = begin(there)
    waiting(fits, seats=2)
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    cluster.stdin.write("lose\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "lost\n"
    _, complaint = process.communicate(timeout=240)
    assert process.returncode == 0, complaint
    assert newest(there)["study"]["complete"] == 5
    assert len(begun(fits)) > 2 * (5 - kept) + 1, "no fit was done again"


def test_without_a_cluster_it_is_one_sentence(built_once: Path, tmp_path: Path) -> None:
    there = moved(tuned(built_once, tmp_path, FAILING))
    done = train(there, RAY_ADDRESS="127.0.0.1:9")
    assert done.returncode == 3
    assert "The Ray cluster at 127.0.0.1:9 does not answer: Connection refused;" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.usefixtures("cluster")
def test_a_cluster_without_room_and_other_forms_of_its_name_are_refused(
    built_once: Path, tmp_path: Path
) -> None:
    there = moved(tuned(built_once, tmp_path, FAILING))
    for code, told, environ in (
        (2, "has 64 processors; set fewer under [engine]", {"MODELYARD_ENGINE__PROCESSORS": "64"}),
        (2, "name it as HOST:PORT", {"RAY_ADDRESS": "ray://127.0.0.1:10001"}),
        (2, "'models.screening.isolation'", {"MODELYARD_MODELS__SCREENING__ISOLATION": "venv"}),
    ):
        done = train(there, **environ)
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
