"""A project of four models that share code, built once."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def _four() -> ModuleType:
    spec = importlib.util.spec_from_file_location("four", Path(__file__).with_name("four.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def write_four() -> Callable[..., Path]:
    """Write the project, or some of its models, into a folder."""
    made: Callable[..., Path] = _four().write
    return made


@pytest.fixture(scope="session")
def four_once(tmp_path_factory: pytest.TempPathFactory, write_four: Callable[..., Path]) -> Path:
    """Built; not to be changed, ``four`` is a copy of it."""
    folder = write_four(tmp_path_factory.mktemp("once") / "four")
    words = [sys.executable, "-m", "modelyard", "-C", str(folder), "build", "--jobs", "2"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.fixture
def four(four_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(four_once, tmp_path / "four"))
