"""A model's ``test_model.py``: its tests by pytest, and its example payloads."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from modelyard.authors.blame import shown
from modelyard.authors.capture import Tail, captured
from modelyard.errors import AuthorError, ExtraMissing
from modelyard.records.access import TOKEN
from modelyard.records.payload import Payload
from modelyard.storage.scratch import scratch
from modelyard.training.model_code import run

_CONFIGURATIONS = ("pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")

FOLDER = "MODELYARD_USED_PACKAGES"
"""The variable that tells the tests' process where the packages are that ``my.used`` opens."""


class TestsResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's own tests went; ``errors`` also counts a run that broke off."""

    passed: int
    failed: int
    errors: int
    seconds: float
    output: str
    """What pytest printed, at most the last megabyte."""


def run_tests(
    folder: Path,
    *,
    cwd: Path | None = None,
    shared: Sequence[Path] = (),
    place: Path | None = None,
    uses: Path | None = None,
    timeout: float = 600,
) -> TestsResult:
    """Run ``test_model.py`` of ``folder`` by pytest in a process of its own.

    Its working folder is ``cwd`` (the project; by default ``folder``); ``import model`` finds the
    folder's, and code that is not there is looked for in the ``shared`` folders. What they print is kept in
    ``place`` for that long (by default among the temporary files). ``uses`` is the folder of the packages that
    ``my.used`` opens. After ``timeout`` seconds everything it
    started is killed, which counts as one error. Raises ``AuthorError`` when there is no such file.
    """
    path = folder / "test_model.py"
    if not path.is_file():
        raise AuthorError(f"There is no {shown(path)}; a model's folder needs its tests there.")
    if importlib.util.find_spec("pytest") is None:
        raise ExtraMissing("The model's tests need pytest; run 'pip install \"modelyard[yard]\"'.")
    cwd = (cwd or folder).resolve()
    with scratch("tests-", place) as kept:
        results, printed = kept / "results.xml", kept / "output.txt"
        command = _command(path.resolve(), cwd, results)
        environ = _environ([folder, *shared])
        if uses is not None:
            command += ["-p", "modelyard.training.tested"]
            environ[FOLDER] = str(uses.resolve())
        start = time.perf_counter()
        with printed.open("wb") as output:
            code = _run(command, cwd, environ, output, timeout)
        seconds = time.perf_counter() - start
        text = _tail(printed)
        if code is None:
            text += f"\nThe tests did not end within {timeout:g} seconds and were killed.\n"
        counts = _counts(results)
    passed, failed, errors = counts or (0, 0, 1)
    if failed == errors == 0 and code not in (0, 5):  # 5: pytest found no test
        errors = 1
    return TestsResult(passed=passed, failed=failed, errors=errors, seconds=seconds, output=text)


def payloads(folder: Path) -> list[Payload]:
    """The example requests that ``test_model.py`` lists as ``PAYLOADS``; none when it has no such list.

    Each is a dict: ``{"rows": [{...}]}``, with ``"prediction": [...]`` for the answers expected, or
    ``"status": 422`` and ``"field": "..."`` for a request to be refused. Raises ``AuthorError``
    when the file cannot be imported or an entry is of another form.
    """
    path = folder / "test_model.py"
    if not path.is_file():
        return []
    with captured():
        module, _ = run(folder, "test_model")
    listed = getattr(module, "PAYLOADS", [])
    if not isinstance(listed, list | tuple):
        raise AuthorError(f"PAYLOADS in {shown(path)} is a {type(listed).__name__}; write a list of dicts.")
    found = []
    for number, entry in enumerate(listed):
        try:
            payload = msgspec.convert(_plain(entry), Payload, strict=True)
        except (msgspec.ValidationError, TypeError) as error:
            raise AuthorError(f"PAYLOADS[{number}] in {shown(path)} is no payload: {error}.") from None
        if not payload.rows and payload.status == 200:
            raise AuthorError(f"PAYLOADS[{number}] in {shown(path)} has no rows; give at least one.")
        if payload.prediction is not None and len(payload.prediction) != len(payload.rows):
            raise AuthorError(
                f"PAYLOADS[{number}] in {shown(path)} expects {len(payload.prediction)} predictions "
                f"of {len(payload.rows)} rows."
            )
        found.append(payload)
    return found


def _plain(value: Any) -> Any:
    """Python's own values for NumPy's and pandas' scalars."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    return value


def _command(path: Path, cwd: Path, results: Path) -> list[str]:
    # Without a file named, pytest would climb out of the project for its configuration.
    own = next((cwd / name for name in _CONFIGURATIONS if (cwd / name).is_file()), Path(os.devnull))
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"),
        *("-c", str(own), f"--rootdir={cwd}", f"--junitxml={results}", str(path)),
    ]


def _environ(folders: Sequence[Path]) -> dict[str, str]:
    path = [*(str(folder.resolve()) for folder in folders), os.environ.get("PYTHONPATH", "")]
    quiet = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", TOKEN)}
    return quiet | {"PYTHONPATH": os.pathsep.join(p for p in path if p), "PYTHONDONTWRITEBYTECODE": "1"}


def _run(command: list[str], cwd: Path, environ: dict[str, str], output: Any, timeout: float) -> int | None:
    """The exit code, or None when the time was up; nothing that it started outlives this call."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(path: Path) -> str:
    tail = Tail()
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            tail.write(piece)
    return tail.text()


def _counts(results: Path) -> tuple[int, int, int] | None:
    """Passed, failed and errors by pytest's own record; None when it broke off and left none."""
    try:
        suites = list(ElementTree.parse(results).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return None
    total, failed, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    return max(total - failed - errors - skipped, 0), failed, errors
