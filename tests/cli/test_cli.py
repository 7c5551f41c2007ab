"""The command line's surface: help, exit codes, sentences instead of tracebacks."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
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
    assert f"\n  Example: modelyard {name}" in output


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


def test_words_of_others_do_not_steer_the_terminal(modelyard: Command, built: Path) -> None:
    code, output, _ = modelyard(
        *("-C", built, "review", "screening@1", "--for", "sme", "--yes", "--reason", "\x1b[31mfine\x07")
    )
    assert code == 0
    assert "?[31mfine?" in output
    code, _, complaint = modelyard("-C", built, "deploy", "t\x1b[31m", "screening")
    assert code == 2
    assert "\x1b" not in complaint


def test_help_into_a_pipe_that_nobody_reads() -> None:
    program = "import os, sys; sys.stdout = os.fdopen(int(sys.argv.pop()), 'w'); from modelyard.cli import main; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", program, str(write)], pass_fds=[write], capture_output=True, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    program = f"import os; os.rmdir({str(folder)!r}); from modelyard.cli.run import run; raise SystemExit(run(['status']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "modelyard: The working folder is gone; change into the project's folder.\n"


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
    settings.write_text(settings.read_text() + "\n[alarms.screening]\nschedule = '0 3 * * 1'\n")
    code, _, complaint = modelyard("-C", built, "status")
    assert code == 2
    assert "unknown setting 'alarms'" in complaint
    assert str(settings) in complaint


def test_a_review_is_yes_or_no(modelyard: Command, built: Path) -> None:
    words = ("-C", built, "review", "screening@1", "--for", "sme", "--reason", "because")
    for answer in (("--yes", "--no"), ()):
        code, _, complaint = modelyard(*words, *answer)
        assert code == 2
        assert "either --yes or --no" in complaint


def test_a_misspelt_metric_is_refused_before_training(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text().replace("roc_auc = {", "roc_acu = {"))
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 2
    assert "roc_auc" in complaint


def test_a_package_that_cannot_be_written(modelyard: Command, built: Path) -> None:
    code, _, complaint = modelyard("-C", built, "package", "screening@1", "--output", "/proc/here")
    assert code == 3
    assert "could not be written to /proc/here" in complaint


def test_a_folder_that_no_table_can_be_kept_in(modelyard: Command, tmp_path: Path) -> None:
    folder = tmp_path / "a#b"
    assert modelyard("init", "clinic", "--folder", folder)[0] == 0
    code, _, complaint = modelyard("-C", folder, "ingest")
    assert code == 2
    assert "its path has a '#'" in complaint


def test_serve_answers_until_it_is_ended(built: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "modelyard", "-C", str(built), "serve", "screening@1", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/docs" in process.stdout.readline()
        deadline = time.monotonic() + 20
        status = 0
        while status != 200 and time.monotonic() < deadline:
            door = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                door.request("GET", "/v2/health/ready")
                status = door.getresponse().status
            except OSError:
                time.sleep(0.05)
            finally:
                door.close()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    assert status == 200
