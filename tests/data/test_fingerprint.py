import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.data import fingerprint
from modelyard.errors import DataRefused, SourceMissing, StoreDown
from modelyard.records.dataset import SourceFile


def test_content_and_place(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_bytes(b"x\n1\n")
    assert fingerprint("data/a.csv", tmp_path) == (
        SourceFile(path="data/a.csv", size=4, sha256=hashlib.sha256(b"x\n1\n").hexdigest()),
    )


def test_globs_are_sorted_and_files_counted_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "deep/er/c.csv", ".hidden.csv", "d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [f.path for f in fingerprint("*.csv", tmp_path)] == ["a.csv", "b.csv"]
    assert [f.path for f in fingerprint(("b.csv", "**/*.csv"), tmp_path)] == [
        "b.csv",
        "a.csv",
        "deep/er/c.csv",
    ]


def test_files_elsewhere_keep_their_whole_path(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other.csv"
    root.mkdir()
    other.write_text("x")
    assert fingerprint(str(other), root)[0].path == other.as_posix()
    assert fingerprint(str(tmp_path / "oth*.csv"), root)[0].path == other.as_posix()


def test_names_with_wildcards_in_them_are_files_first(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x")
    assert fingerprint("a[1].csv", tmp_path)[0].path == "a[1].csv"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nothing.csv", "There is no file 'nothing.csv' in"),
        ("no*.csv", r"No file matches 'no\*.csv' in"),
        (("good.csv", "no*.csv"), r"No file matches 'no\*.csv' in"),
        ("folder", "The folder 'folder' .* holds no files"),
        ((), "names no source"),
        ("pipe", "no ordinary file"),
    ],
)
def test_what_is_not_there_is_said(source: str | tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceMissing, match=says):
        fingerprint(source, tmp_path)


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (PermissionError(13, "Permission denied"), DataRefused, "may not be read"),
        (OSError(5, "Input/output error"), StoreDown, "cannot be read: Input/output error"),
        (FileNotFoundError(2, "No such file"), SourceMissing, "went away"),
    ],
)
def test_a_file_that_cannot_be_read(
    error: OSError, raised: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("x")

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(raised, match=says):
        fingerprint("a.csv", tmp_path)


def test_it_needs_no_dataframe_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from modelyard.data import fingerprint;"
        "fingerprint(sys.argv[1], Path('.'));"
        "print([m for m in ('polars', 'numpy', 'pyarrow', 'deltalake') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "[]\n", done.stderr
