"""The command line's surface: help, exit codes, sentences instead of tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import errors
from modelyard.cli.contents import COMMANDS
from modelyard.cli.run import exit_code

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(modelyard: Command, name: str) -> None:
    code, output, _ = modelyard(name, "--help")
    assert code == 0
    assert f"Example: modelyard {name}" in output


def test_help_lists_every_command(modelyard: Command) -> None:
    code, output, _ = modelyard("--help")
    assert code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in output] == []


def test_help_loads_no_command_and_no_library_of_the_yard() -> None:
    program = (
        "import sys; from modelyard.cli.run import run; run(['--help']);"
        "heavy = {'polars', 'numpy', 'sqlalchemy', 'rich', 'msgspec', 'pandas'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "code"), [(errors.GateFailed, 1), (errors.SettingsError, 2), (errors.DatabaseDown, 3)]
)
def test_exit_codes(error: type[errors.ModelyardError], code: int) -> None:
    assert exit_code(error("because")) == code


def test_codes_of_errors_are_unlike() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.ModelyardError)]
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_outside_a_project(modelyard: Command, tmp_path: Path) -> None:
    code, _, complaint = modelyard("-C", tmp_path, "status")
    assert code == 2
    assert "modelyard init" in complaint
    assert "Traceback" not in complaint


def test_unknown_command(modelyard: Command) -> None:
    code, _, complaint = modelyard("deplyo")
    assert code == 2
    assert "deplyo" in complaint


@pytest.mark.parametrize("name", ["status", "data", "runs", "versions", "releases", "audit", "doctor"])
def test_facts_as_json(modelyard: Command, built: Path, name: str) -> None:
    code, output, complaint = modelyard("-C", built, name, "--json")
    assert code == 0, complaint
    assert isinstance(json.loads(output), list)


def test_unknown_setting_is_refused_with_its_neighbour(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text() + "\n[triggers.screening]\nschedule = '0 3 * * 1'\n")
    code, _, complaint = modelyard("-C", built, "status")
    assert code == 2
    assert "unknown setting 'triggers'" in complaint
    assert str(settings) in complaint
