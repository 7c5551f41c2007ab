"""The author's functions come from the source that the digest covers, and from nowhere else."""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path

import pytest

from modelyard.errors import AuthorError, Tampered
from modelyard.predictor.author import hooks


def code(folder: Path) -> Path:
    place = folder / "code"
    (place / "inner").mkdir(parents=True)
    (place / "model.py").write_text(
        "import words\nfrom inner import more\n\n\ndef predict(model, rows):\n    return words.SAID + more.SAID\n"
    )
    (place / "words.py").write_text("SAID = 'true '\n")
    (place / "inner" / "__init__.py").write_text("")
    (place / "inner" / "more.py").write_text("SAID = 'and true'\n")
    return place


@pytest.mark.parametrize("module", ["words.py", "inner/more.py"])
def test_compiled_files_are_not_read(tmp_path: Path, module: str) -> None:
    place = code(tmp_path)
    other = tmp_path / "other.py"
    other.write_text("SAID = 'forged'\n")
    source = place / module
    compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(other), str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    predict = hooks(place).predict
    assert predict is not None
    assert predict(None, None) == "true and true"


def test_compiled_files_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    place = code(tmp_path)
    hooks(place)
    assert list(place.rglob("__pycache__")) == []


def test_nothing_of_it_stays_importable(tmp_path: Path) -> None:
    finders, paths = sys.meta_path[:], sys.path[:]
    hooks(code(tmp_path))
    assert (sys.meta_path, sys.path) == (finders, paths)
    assert "words" not in sys.modules


def test_a_source_is_run_as_it_was_read_for_it(tmp_path: Path) -> None:
    place = code(tmp_path)

    def read(path: Path) -> bytes:
        if path.name == "more.py":
            raise Tampered(f"{path} was changed")
        return path.read_bytes()

    with pytest.raises(Tampered, match=r"more\.py was changed"):
        hooks(place, read)


def test_an_author_who_exits_is_an_author_error(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(AuthorError, match="SystemExit: the code ended the program with 3"):
        hooks(tmp_path)
