from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.errors import Tampered, UnknownName
from modelyard.packaging import fetch, store
from modelyard.predictor import digest, open_package, verify
from modelyard.storage.artifacts import open_artifacts


@pytest.fixture
def package(cancer: Any, sealed: Callable[..., Path]) -> Path:
    return sealed(cancer, cancer.fit(make_pipeline(StandardScaler(), LogisticRegression())))


def test_store_and_fetch_bring_the_package_back(package: Path, tmp_path: Path) -> None:
    artifacts = open_artifacts("store", tmp_path)
    found = store(package, artifacts)
    assert found == digest(package)
    assert store(package, artifacts) == found
    folder = fetch(found, artifacts, tmp_path / "here" / found)
    assert verify(folder, found).model == "screening"
    before = (folder / "manifest.json").stat().st_ino
    assert fetch(found, artifacts, folder) == folder
    assert (folder / "manifest.json").stat().st_ino == before
    assert [path.name for path in folder.parent.iterdir()] == [found]


def test_a_damaged_folder_is_fetched_anew(package: Path, tmp_path: Path) -> None:
    artifacts = open_artifacts("store", tmp_path)
    found = store(package, artifacts)
    folder = fetch(found, artifacts, tmp_path / "here")
    (folder / "code" / "model.py").write_text("import os")
    (folder / "code" / "extra.py").write_text("")
    assert verify(fetch(found, artifacts, folder), found)
    shutil.rmtree(folder / "model")
    assert verify(fetch(found, artifacts, folder), found)


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        fetch("0" * 64, open_artifacts("store", tmp_path), tmp_path / "here")
    with pytest.raises(UnknownName, match="no package"):
        verify(tmp_path / "nowhere")
    assert not (tmp_path / "here").exists()


FETCH = """
import os, signal, sys
from pathlib import Path
from modelyard.packaging import fetch
from modelyard.storage.artifacts import open_artifacts
found, root, folder, deadly = sys.argv[1:]
artifacts, left = open_artifacts("store", Path(root)), [int(deadly)]

class Dying:
    def __getattr__(self, name):
        return getattr(artifacts, name)

    def fetch(self, digest, path):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        artifacts.fetch(digest, path)

fetch(found, Dying(), Path(folder))
"""


def fetching(found: str, root: Path, folder: Path, *, deadly: int = -1) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FETCH, found, str(root), str(folder), str(deadly)])


def test_many_fetch_at_once(package: Path, tmp_path: Path) -> None:
    found = store(package, open_artifacts("store", tmp_path))
    folder = tmp_path / "here"
    workers = [fetching(found, tmp_path, folder) for _ in range(4)]
    assert [worker.wait(100) for worker in workers] == [0] * 4
    assert verify(folder, found)
    assert not list(tmp_path.glob(".here-*"))


def test_a_fetch_that_is_killed_leaves_nothing_half(package: Path, tmp_path: Path) -> None:
    artifacts = open_artifacts("store", tmp_path)
    found = store(package, artifacts)
    folder = tmp_path / "here"
    for deadly in (1, 7):
        assert fetching(found, tmp_path, folder, deadly=deadly).wait(100) == -signal.SIGKILL
        assert not folder.exists()
    for scratch in tmp_path.glob(".here-*"):
        os.utime(scratch, (0, 0))
    assert verify(fetch(found, artifacts, folder), found)
    assert not list(tmp_path.glob(".here-*"))


def test_one_changed_byte_in_any_file_is_found_and_named(package: Path) -> None:
    found = digest(package)
    files = [path for path in package.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(Tampered, match=path.relative_to(package).as_posix().replace(".", r"\.")):
            open_package(package, digest=found)
        path.write_bytes(content)
    open_package(package, digest=found)


def test_what_is_added_missing_or_a_link_is_named(package: Path) -> None:
    (package / "code" / "__pycache__").mkdir()
    (package / "code" / "__pycache__" / "model.pyc").write_bytes(b"never loaded")
    verify(package)
    (package / "code" / "sitecustomize.py").write_text("")
    with pytest.raises(Tampered, match=r"sitecustomize\.py is no part"):
        verify(package)
    (package / "code" / "sitecustomize.py").unlink()
    schema = package / "schema.json"
    schema.rename(package.parent / "schema.json")
    with pytest.raises(Tampered, match=r"schema\.json is missing"):
        verify(package)
    schema.symlink_to(package.parent / "schema.json")
    with pytest.raises(Tampered, match=r"schema\.json is a link"):
        verify(package)


@pytest.mark.parametrize(
    "path", ["../out", "/etc/x", "a/../../x", "a//b", "./a", "a\\b", "", "a\x00", "manifest.json"]
)
def test_a_manifest_that_leads_outside_is_refused(path: str, package: Path, tmp_path: Path) -> None:
    manifest = msgspec.json.decode((package / "manifest.json").read_bytes())
    manifest["files"][0]["path"] = path
    content = msgspec.json.encode(manifest)
    artifacts = open_artifacts("store", tmp_path)
    store(package, artifacts)
    with pytest.raises(Tampered, match="not a plain path"):
        fetch(artifacts.put(content), artifacts, tmp_path / "here")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": 2}'])
def test_a_manifest_that_is_none(content: bytes, package: Path) -> None:
    (package / "manifest.json").write_bytes(content)
    with pytest.raises(Tampered, match=r"manifest\.json"):
        verify(package)
