from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import SettingsError
from modelyard.training import shared_code


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("common/features.py", "common/words.txt", "common/deep/inner.py", "plain.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    regular = tmp_path / "src" / "lib"
    (regular / "sub").mkdir(parents=True)
    for name in ("__init__.py", "tools.py", "more.py", "sub/__init__.py", "sub/leaf.py"):
        (regular / name).write_text("")
    (tmp_path / "models" / "m").mkdir(parents=True)
    return tmp_path


def found(project: Path, code: str, *, include: tuple[str, ...] = ()) -> list[str]:
    folder = project / "models" / "m"
    (folder / "model.py").write_text(code)
    return list(shared_code(folder, project, places=(".", "src", "missing"), include=include))


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import json, sklearn.linear_model, modelyard", []),
        ("import plain", ["plain.py"]),
        ("import common.features", ["common/features.py"]),
        ("import common.features as f", ["common/features.py"]),
        ("from common import features, deep", ["common/features.py"]),
        ("from common.features import anything", ["common/features.py"]),
        ("import common.deep.inner", ["common/deep/inner.py"]),
        ("import common", []),
        ("import lib", ["lib/__init__.py"]),
        ("from lib import tools", ["lib/__init__.py", "lib/tools.py"]),
        ("import lib.sub.leaf", ["lib/__init__.py", "lib/sub/__init__.py", "lib/sub/leaf.py"]),
        ("import importlib; importlib.import_module('plain')", ["plain.py"]),
        (
            "from importlib import import_module as i, import_module; import_module(name='plain')",
            ["plain.py"],
        ),
        ("import importlib; importlib.import_module('.features', 'common')", ["common/features.py"]),
        ("__import__('plain')", ["plain.py"]),
        ("import importlib; importlib.import_module('pl' + 'ain')", []),
        ("def train(data, params):\n    import plain", ["plain.py"]),
        ("try:\n    import plain\nexcept ImportError:\n    import lib", ["lib/__init__.py", "plain.py"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import plain", []),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    import plain\nelse:\n    import lib",
            ["lib/__init__.py"],
        ),
        ("from . import plain", []),
        ("import data.missing, .", []),
        ("# coding: latin-1\nimport plain", ["plain.py"]),
    ],
)
def test_what_is_imported_is_found(project: Path, code: str, files: list[str]) -> None:
    assert found(project, code) == files


def test_imports_are_followed(project: Path) -> None:
    (project / "common" / "features.py").write_text("from .deep.inner import x\nfrom lib import *\n")
    (project / "common" / "deep" / "inner.py").write_text("from ..features import y\nfrom ... import plain\n")
    (project / "src" / "lib" / "__init__.py").write_text("__all__ = ['tools']\nfrom . import more\n")
    (project / "src" / "lib" / "tools.py").write_text(
        "import importlib\nimportlib.import_module('.sub', __package__)"
    )
    assert found(project, "import common.features") == [
        "common/deep/inner.py",
        "common/features.py",
        "lib/__init__.py",
        "lib/more.py",
        "lib/sub/__init__.py",
        "lib/tools.py",
    ]


def test_the_folders_own_modules_come_first(project: Path) -> None:
    (project / "models" / "m" / "plain.py").write_text("import lib")
    (project / "models" / "m" / "common").mkdir()
    (project / "models" / "m" / "common" / "features.py").write_text("")
    assert found(project, "import plain, common.features, common.deep.inner") == ["lib/__init__.py"]


def test_every_file_of_the_folder_is_read(project: Path) -> None:
    (project / "models" / "m" / "test_model.py").write_text("import plain")
    (project / "models" / "m" / "sub").mkdir()
    (project / "models" / "m" / "sub" / "part.py").write_text("import lib.tools")
    (project / "models" / "m" / ".hidden.py").write_text("import common.features")
    assert found(project, "") == ["lib/__init__.py", "lib/tools.py", "plain.py"]


def test_files_are_included_by_name(project: Path) -> None:
    (project / "plain.py").write_text("import lib")
    included = found(project, "", include=("common/*.txt", "plain.py", "src/lib/sub/*.py"))
    assert included == [
        "common/words.txt",
        "lib/__init__.py",
        "lib/sub/__init__.py",
        "lib/sub/leaf.py",
        "plain.py",
    ]
    with pytest.raises(SettingsError, match=r"'common/\*\.csv'"):
        found(project, "", include=("common/*.csv",))


def test_an_included_file_may_not_be_one_of_the_models(project: Path) -> None:
    (project / "models" / "m" / "common").mkdir()
    (project / "models" / "m" / "common" / "words.txt").write_text("mine")
    with pytest.raises(SettingsError, match="rename one of them"):
        found(project, "", include=("common/words.txt",))


def test_code_that_does_not_parse_is_left_to_its_run(project: Path) -> None:
    (project / "plain.py").write_text("def broken(:\n")
    assert found(project, "import plain") == ["plain.py"]
    assert found(project, "import plain\nx = = 1") == []
