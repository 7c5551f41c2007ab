"""What tests share: a built project to copy, and the command line as a person meets it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)  # a timing never decides a test
settings.load_profile("house")
os.environ.setdefault("MODELYARD_PROJECT__HASHES", "project")  # hundreds of builds ask no index

NAME = "screening"
ROOT = Path(__file__).parents[1]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes give a test no name: those of gzip hold the second they were made in, and workers that collect
    in different seconds would not agree on the tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def moto_python() -> Path:
    """Python of a cached environment made from ``locks/moto.txt``."""
    return _peer("moto")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scaffolded project after its first build; not to be changed, ``built`` is a copy of it."""
    base = tmp_path_factory.getbasetemp()
    first = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "first-build"
    with alone(first):  # the workers of a run share it
        if not first.exists():
            draft = base / "first-build.draft"
            for words in (["init", NAME, "--folder", str(draft)], ["-C", str(draft), "build"]):
                command = [sys.executable, "-m", "modelyard", *words]
                done = subprocess.run(command, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr + done.stdout
            draft.rename(first)
        return Path(shutil.copytree(first, tmp_path_factory.mktemp("built") / NAME))


@pytest.fixture(scope="session")
def first_build() -> Callable[[Path, dict[str, str], str], Path]:
    """Writes models (``model.py`` by name) and settings beside a project's data, and builds all of them."""

    def build(folder: Path, models: dict[str, str], settings: str) -> Path:
        for name, code in models.items():
            place = folder / "models" / name
            place.mkdir(parents=True)
            (place / "model.py").write_text(code)
            (place / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
            (place / "test_model.py").write_text(
                "import model\n\n\ndef test_it_trains():\n    assert callable(model.train)\n"
            )
        (folder / "modelyard.toml").write_text(settings)
        command = [sys.executable, "-m", "modelyard", "-C", str(folder), "build"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("register") == len(models)
        return folder

    return build


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A built project of the test's own on free ports; its services are ended afterwards."""
    folder = tmp_path / NAME
    shutil.copytree(built_once, folder)
    settings = folder / "modelyard.toml"
    text = settings.read_text()
    for at, port in enumerate(free_ports(3)):
        text = text.replace(f"port = {8101 + at}", f"port = {port}")
    settings.write_text(text)
    yield folder
    if any((folder / ".modelyard" / "services").glob("*/plan.json")):  # something was made live
        subprocess.run([sys.executable, "-m", "modelyard", "-C", str(folder), "stop"], capture_output=True)


@pytest.fixture(scope="session")
def plain_reports() -> str:
    """Of a model's settings: its reports hold metrics and no more, which is half of a build. For tests of what is built,
    not of what is said about it."""
    parts = ("baselines", "importance", "stability", "search", "footprint")
    return f"evaluation = {{ {', '.join(f'{part} = false' for part in parts)} }}\n"


@pytest.fixture
def modelyard(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: words to (exit code, output, errors)."""
    from modelyard.cli.run import run

    def command(*words: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run([str(word) for word in words])
        output, errors = capfd.readouterr()
        return code, output, errors

    return command


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Path]:
    """``peer("mlflow")`` is the Python of a cached environment made from ``locks/mlflow.txt``."""
    return _peer


def _peer(name: str) -> Path:
    lock = ROOT / "locks" / f"{name}.txt"
    version = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = ROOT / ".cache" / "envs" / f"{name}-{version}"
    python = home / "bin" / "python"
    if (home / "ready").exists():
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    with alone(home):
        if (home / "ready").exists():
            return python
        try:
            for command in (
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
                [
                    uv,
                    "pip",
                    "install",
                    "--quiet",
                    "--python",
                    str(python),
                    "--require-hashes",
                    "-r",
                    str(lock),
                ],
            ):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            pytest.skip(f"uv cannot install the environment of {lock.name}: {said[-1] if said else error}")
        (home / "ready").touch()
    return python


@pytest.fixture(scope="session")
def making() -> Callable[[Path], AbstractContextManager[None]]:
    """``with making(home):`` one process at a time makes what is cached there."""
    return alone


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One process at a time makes what is cached there; the others wait, and find it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def ports() -> Callable[[int], list[int]]:
    """So many ports that nothing listens on."""
    return free_ports


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, below the range that outgoing connections take theirs from."""
    found: list[int] = []
    first = 10000 + (os.getpid() * 37) % 15000
    for port in range(first, first + 5000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")
