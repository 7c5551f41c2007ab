"""A package as one file: the same bytes everywhere, and nothing else is taken."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.errors import SourceMissing, StoreDown, Tampered
from modelyard.packaging import pack, seal, unpack
from modelyard.predictor import digest

BESIDE = {"report.json": b"{}", "1234567890abcdef.sig": b"signature"}


@pytest.fixture(scope="module")
def package(cancer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    (folder / "code").mkdir()
    (folder / "code" / "model.py").write_text("")
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression()))
    given: dict[str, Any] = {"schema": cancer.schema, "train": cancer.train, "test": cancer.test}
    seal(
        fitted,
        folder / "package",
        model="screening",
        code=folder / "code",
        requirements=(),
        python="3.11",
        **given,
    )
    return folder / "package"


@pytest.fixture(scope="module")
def packed(package: Path) -> bytes:
    path = package.with_name("whole.mypkg")
    pack(package, BESIDE, path)
    return path.read_bytes()


def test_what_is_packed_comes_back(package: Path, packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.mypkg").write_bytes(packed)
    manifest, beside = unpack(tmp_path / "x.mypkg", tmp_path / "again")
    assert beside == BESIDE
    assert manifest.model == "screening"
    assert digest(tmp_path / "again") == digest(package)


PACK = """
import sys
from pathlib import Path
from modelyard.packaging import pack
pack(Path(sys.argv[1]), {"report.json": b"{}", "1234567890abcdef.sig": b"signature"}, Path(sys.argv[2]))
"""


def test_the_same_content_is_the_same_bytes(package: Path, packed: bytes, tmp_path: Path) -> None:
    """In another process, zone, umask and file system order."""
    copy = tmp_path / "copy"
    for path in sorted(package.rglob("*"), reverse=True):
        if path.is_file():
            place = copy / path.relative_to(package)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
            place.chmod(0o600)
            os.utime(place, (10**9, 10**9))
    environ = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    command = [
        sys.executable,
        "-c",
        f"import os; os.umask(0o077){PACK}",
        str(copy),
        str(tmp_path / "x.mypkg"),
    ]
    subprocess.run(command, check=True, env=environ, timeout=100)
    assert (tmp_path / "x.mypkg").read_bytes() == packed


def rezipped(content: bytes, change: Callable[[dict[str, bytes]], object], **info: int) -> bytes:
    """The archive with other entries."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    change(entries)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", info.get("compression", zipfile.ZIP_STORED)) as made:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = info.get("mode", stat.S_IFREG | 0o644) << 16
            entry.compress_type = info.get("compression", zipfile.ZIP_STORED)
            made.writestr(entry, data)
    return target.getvalue()


def added(name: str) -> Callable[[bytes], bytes]:
    return lambda content: rezipped(content, lambda e: e.update({name: b"content"}))


def bomb(content: bytes) -> bytes:
    return rezipped(
        content, lambda e: e.update({"package/big": bytes(50 << 20)}), compression=zipfile.ZIP_DEFLATED
    )


def overlapping(content: bytes) -> bytes:
    """Many names for the same bytes."""
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as made:
        first = max(made.infolist(), key=lambda e: e.file_size)
        for number in range(50):
            other = zipfile.ZipInfo(f"attestations/{number}")
            for name in ("header_offset", "file_size", "compress_size", "CRC", "external_attr"):
                setattr(other, name, getattr(first, name))
            made.filelist.append(other)
            made.NameToInfo[other.filename] = other
        made._didModify = True  # type: ignore[attr-defined]
    return target.getvalue()


def twice(content: bytes) -> bytes:
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as made:
        entry = zipfile.ZipInfo("package/schema.json")
        entry.external_attr = (stat.S_IFREG | 0o644) << 16
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr(entry, b"other")
    return target.getvalue()


def other_content(name: str) -> Callable[[bytes], bytes]:
    return lambda content: rezipped(content, lambda e: e.update({name: e[name] + b" "}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (added("package/extra.py"), "extra.py is a file that its manifest does not list"),
        (added("package/../escaped"), r"'package/../escaped', which is not a plain path"),
        (added("../escaped"), "neither a file of the package nor an attestation"),
        (added("/etc/escaped"), "neither a file of the package nor an attestation"),
        (added("attestations/../../escaped"), "is not a plain path"),
        (added("attestations/sub/escaped"), "is not a plain path"),
        (added("package/a\\b"), "is not a plain path"),
        (added("package/"), "is not a plain path"),
        (
            lambda c: rezipped(c, lambda e: e.pop("package/schema.json")),
            "schema.json is a file that its manifest lists",
        ),
        (lambda c: rezipped(c, lambda e: e.pop("package/manifest.json")), "it has no manifest.json"),
        (lambda c: rezipped(c, dict.copy, mode=stat.S_IFLNK | 0o777), "is a link, a folder or a device"),
        (
            lambda c: rezipped(c, dict.copy, mode=stat.S_IFREG | 0o755),
            "in a form that .* does not write",
        ),
        (bomb, "is compressed or encrypted"),
        (overlapping, "more than it has room for|Overlapped entries"),
        (twice, "stands in it twice"),
        (other_content("package/code/model.py"), r"code/model\.py was changed"),
        (other_content("package/model/model.onnx"), r"model\.onnx was changed"),
        (lambda c: c[:-1], "damaged or cut short"),
        (lambda c: c[: len(c) // 2], "damaged or cut short"),
        (lambda c: c[:0], "damaged or cut short"),
        (lambda c: b"MZ" + c, "in a form that .* does not write"),
        (lambda c: c + b"\0", "damaged or cut short|in a form that"),
    ],
)
def test_anything_else_is_refused(
    change: Callable[[bytes], bytes], sentence: str, packed: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a" / "b" / "x.mypkg"
    path.parent.mkdir(parents=True)
    path.write_bytes(change(packed))
    with pytest.raises(Tampered, match=sentence) as refused:
        unpack(path, tmp_path / "a" / "b" / "out")
    assert str(path) in str(refused.value) or str(tmp_path) in str(refused.value)
    assert not list(tmp_path.rglob("escaped"))


@settings(max_examples=300)
@given(st.data())
def test_one_changed_byte_anywhere_is_refused(
    packed: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(packed) - 1) | st.integers(len(packed) - 2000, len(packed) - 1))
    bit = data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("byte")
    path = folder / "x.mypkg"
    path.write_bytes(packed[:at] + bytes([packed[at] ^ (1 << bit)]) + packed[at + 1 :])
    with pytest.raises(Tampered):
        unpack(path, folder / "out")


def test_what_is_no_file_and_a_full_place(package: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.mypkg", tmp_path):
        with pytest.raises(SourceMissing, match="There is no file"):
            unpack(path, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown):
        pack(package, {}, tmp_path / "file" / "x.mypkg")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
