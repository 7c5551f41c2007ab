"""Code of the project's authors: run apart, and blamed by file, line and message."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from modelyard.authors.blame import blame
from modelyard.authors.modules import execute, isolated
from modelyard.errors import AuthorError


def ran(path: Path) -> tuple[types.ModuleType, dict[str, types.ModuleType]]:
    modules: dict[str, types.ModuleType] = {}
    return execute(path, path.read_bytes(), modules, what="It stopped"), modules


def test_two_folders_with_files_of_one_name(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.py").write_text(f"WHICH = '{name}'\n")
        (tmp_path / name / "feed.py").write_text(
            "import rules\n\ndef which():\n    import rules as again\n    return again.WHICH\n"
        )
        found.append((tmp_path / name, *ran(tmp_path / name / "feed.py")))
    before = set(sys.modules), sys.path[:]
    for folder, module, modules in found:
        assert folder.name == module.rules.WHICH
        with isolated(folder, modules):
            assert module.which() == folder.name
    assert (set(sys.modules), sys.path[:]) == before


def test_an_edit_within_the_second_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "feed.py"
    (tmp_path / "rules.py").write_text("LIMIT = 1\n")
    path.write_text("import rules\n")
    assert ran(path)[0].rules.LIMIT == 1
    (tmp_path / "rules.py").write_text("LIMIT = 2\n")
    assert ran(path)[0].rules.LIMIT == 2


def test_a_file_with_a_name_of_the_standard_library_hides_it_from_nobody(tmp_path: Path) -> None:
    path = tmp_path / "queue.py"
    path.write_text("import concurrent.futures\nimport queue\nPUT = queue.Queue\n")
    module, modules = ran(path)
    assert module.PUT is sys.modules["queue"].Queue
    assert "queue" not in modules


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("1 / 0\n", r"line 1 \('1 / 0'\): ZeroDivisionError: division by zero\.$"),
        ("def f(\n", r"line 1 \('def f\('\): SyntaxError"),
        ("raise SystemExit(3)\n", r"SystemExit: the code ended the program with 3\.$"),
        ("{}['age']\n", r"KeyError: age\.$"),
        ("raise ValueError('a\\n\\n' + 'b' * 400)\n", r"ValueError: a b{295}\.*$"),
        ("import not_there\n", r"No module named 'not_there'; install it\.$"),
    ],
)
def test_what_it_raises_is_one_sentence_with_its_line(code: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "feed.py"
    path.write_text(code)
    with pytest.raises(
        AuthorError, match=rf"^It stopped at .*feed\.py, {says}" if "line" in says else says
    ) as caught:
        ran(path)
    assert "\n" not in str(caught.value)


def test_a_model_s_folder_is_told_to_pin(tmp_path: Path) -> None:
    error = ModuleNotFoundError("No module named 'torch'")
    assert str(blame("It stopped", error, tmp_path)).endswith("'torch'; install it.")
    (tmp_path / "requirements.model").write_text("")
    assert "pin it in requirements.model" in str(blame("It stopped", error, tmp_path))
