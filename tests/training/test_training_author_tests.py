from __future__ import annotations

import time
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.records.payload import Payload
from modelyard.training import payloads, run_tests

MODEL = "import helper\ndef train(data, params):\n    return helper.N\n"


def test_tests_run_with_the_model_s_folder_importable(folder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    place = folder(
        model=MODEL,
        helper="N = 3",
        test_model="""
        import os, pytest, model
        def test_model(): assert model.train(None, None) == 3
        def test_place(): assert os.path.isdir("models/m")
        def test_no(): assert model.train(None, None) == 4, "four"
        @pytest.fixture
        def broken(): raise ValueError("fixture")
        def test_error(broken): pass
        @pytest.mark.skip(reason="later")
        def test_later(): pass
        """,
    )
    result = run_tests(place, cwd=tmp_path)
    assert (result.passed, result.failed, result.errors) == (2, 1, 1)
    assert "four" in result.output
    assert result.seconds > 0
    assert not list(place.rglob("__pycache__"))
    assert not list(tmp_path.rglob(".pytest_cache"))


def test_a_file_that_cannot_be_imported_is_an_error(folder) -> None:  # type: ignore[no-untyped-def]
    result = run_tests(folder(model=MODEL, helper="", test_model="import nothing_like_it\n"))
    assert (result.passed, result.failed) == (0, 0)
    assert result.errors >= 1
    assert "nothing_like_it" in result.output


def test_a_file_without_tests_passes_none(folder) -> None:  # type: ignore[no-untyped-def]
    result = run_tests(folder(model=MODEL, test_model="x = 1\n"))
    assert (result.passed, result.failed, result.errors) == (0, 0, 0)


def test_tests_that_break_off_are_an_error(folder) -> None:  # type: ignore[no-untyped-def]
    result = run_tests(folder(model=MODEL, test_model="import os\ndef test(): os._exit(0)\n"))
    assert (result.passed, result.errors) == (0, 1)


def test_tests_that_do_not_end_are_killed_with_what_they_started(folder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    place = folder(
        model=MODEL,
        test_model=f"""
        import subprocess, time
        def test_hangs():
            child = subprocess.Popen(["sleep", "600"])
            with open("{tmp_path}/pid", "w") as file: file.write(str(child.pid))
            time.sleep(600)
        """,
    )
    result = run_tests(place, timeout=4)
    assert (result.passed, result.errors) == (0, 1)
    assert "did not end within 4 seconds" in result.output
    status = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    deadline = time.monotonic() + 60  # a killed process leaves when the kernel next runs it
    while _alive(status) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(status)


def _alive(status: Path) -> bool:
    try:
        return status.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_configuration_above_the_project_does_not_count(folder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    place = folder(model=MODEL, helper="N = 1", test_model="def test(): pass\n")
    assert run_tests(place, cwd=place.parent).passed == 1
    (place.parent / "pytest.ini").write_text("[pytest]\npython_functions = check_*\n")
    assert run_tests(place, cwd=place.parent).passed == 0


def test_without_a_test_file_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match=r"There is no .*test_model.py; a model's folder needs its tests"):
        run_tests(tmp_path)
    assert payloads(tmp_path) == []


def test_payloads_are_read_as_records(folder) -> None:  # type: ignore[no-untyped-def]
    place = folder(
        model=MODEL,
        helper="N = 3",
        test_model="""
        import numpy as np, model
        ROW = {"a": np.float64(1.5), "b": np.int64(2), "c": np.bool_(True), "d": None, "e": "x"}
        PAYLOADS = [
            {"rows": [ROW, ROW], "prediction": [np.int64(1), "x"]},
            {"rows": [{"a": "wide"}], "status": 422, "field": "a"},
            {"rows": [], "status": 400},
            {"rows": [{}]},
        ]
        """,
    )
    row = {"a": 1.5, "b": 2, "c": True, "d": None, "e": "x"}
    assert payloads(place) == [
        Payload(rows=(row, row), prediction=(1, "x")),
        Payload(rows=({"a": "wide"},), status=422, field="a"),
        Payload(rows=(), status=400),
        Payload(rows=({},)),
    ]
    assert type(payloads(place)[0].rows[0]["b"]) is int


def test_a_test_file_without_payloads_has_none(folder) -> None:  # type: ignore[no-untyped-def]
    assert payloads(folder(model=MODEL, test_model="def test(): pass\n")) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("PAYLOADS = {'rows': []}", "PAYLOADS in .*test_model.py is a dict; write a list of dicts"),
        (
            "PAYLOADS = [{'rows': [{}]}, 3]",
            r"PAYLOADS\[1\] in .*test_model.py is no payload: Expected `object`",
        ),
        ("PAYLOADS = [{'row': [{}]}]", r"PAYLOADS\[0\] .*unknown field `row`|missing required field `rows`"),
        ("PAYLOADS = [{'rows': [{}], 'expect': 1}]", "unknown field `expect`"),
        ("PAYLOADS = [{'rows': [{'a': [1]}]}]", r"PAYLOADS\[0\] .*no payload: Expected"),
        ("PAYLOADS = [{'rows': [{'a': object()}]}]", r"PAYLOADS\[0\] .*no payload"),
        ("PAYLOADS = [{'rows': []}]", r"PAYLOADS\[0\] .*has no rows"),
        ("PAYLOADS = [{'rows': [{}], 'prediction': [1, 2]}]", "expects 2 predictions of 1 rows"),
        ("import model\nmodel.nothing", r"test_model.py, line 2 \('model.nothing'\): AttributeError"),
        ("PAYLOADS = [", r"test_model.py, line 1 .*SyntaxError"),
    ],
)
def test_a_bad_payload_is_blamed_in_one_sentence(folder, source: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AuthorError, match=says):
        payloads(folder(model="def train(data, params): return 1\n", test_model=source))


def test_what_tests_print_when_their_payloads_are_read_is_not_shown(folder, capfd) -> None:  # type: ignore[no-untyped-def]
    where = folder(test_model="import warnings\nprint('hello')\nwarnings.warn('old')\nPAYLOADS = []\n")
    assert payloads(where) == []
    assert capfd.readouterr() == ("", "")
