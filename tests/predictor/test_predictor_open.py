"""What is loaded is what was verified, whoever writes in between."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelyard.errors import Tampered
from modelyard.predictor import open as opening
from modelyard.predictor import open_package
from modelyard.records.package import Layout, Manifest, PackagedFile
from modelyard.records.schema import Column, Schema


def test_a_file_that_is_changed_after_verification_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = tmp_path / "model" / "model.onnx"
    graph.parent.mkdir()
    graph.write_bytes(b"sealed")
    manifest = Manifest(
        model="screening",
        task="regression",
        classes=(),
        form="onnx",
        frame="numpy",
        schema=Schema(columns=(Column(name="a", kind="float"), Column(name="y", kind="float")), target="y"),
        layout=Layout(numbers=("a",), texts=()),
        requirements=(),
        python="3.11",
        files=(PackagedFile(path="model/model.onnx", size=6, sha256=hashlib.sha256(b"sealed").hexdigest()),),
    )
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    checked = opening.checked

    def then_changed(folder: Path, digest: str | None, **more: Any) -> tuple[Manifest, str]:
        found = checked(folder, digest, **more)
        graph.write_bytes(b"forged")
        return found

    monkeypatch.setattr(opening, "checked", then_changed)
    with pytest.raises(Tampered, match=r"model\.onnx was changed"):
        open_package(tmp_path)
