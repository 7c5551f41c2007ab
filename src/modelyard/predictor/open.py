"""From a package's folder to something that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard.predictor.answers import Answers
from modelyard.predictor.verify import verified, verify
from modelyard.records.package import Layout, Manifest
from modelyard.records.schema import Schema
from modelyard.tables.batch import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """An opened package. Safe under threads as far as its model is (a compiled one is)."""

    manifest: Manifest
    predict: Callable[[Batch], Answers]
    """Answers for a batch laid out as ``layout`` says, in the order of its rows; ``AuthorError`` when
    the model raises or gives a number that is not finite."""

    @property
    def schema(self) -> Schema:
        return self.manifest.schema

    @property
    def layout(self) -> Layout:
        return self.manifest.layout


def open_package(folder: Path, *, digest: str | None = None) -> Predictor:
    """Verify a package and load the form that serves.

    Nothing of it is loaded before every byte is checked. Raises ``Tampered`` naming a file that does
    not match, and for a native form ``ExtraMissing`` when the libraries it was sealed with are not
    installed here, ``Unconvertible`` for a type that is not on the allow-list.
    """
    manifest = verify(folder, digest)
    if manifest.form == "onnx":
        from modelyard.predictor.session import session

        content = verified(folder, manifest, "model/model.onnx")
        return Predictor(manifest, session(content, manifest.task, manifest.classes))
    from modelyard.predictor.load import load
    from modelyard.predictor.native import answer

    fitted = load(folder, manifest)
    return Predictor(manifest, lambda batch: answer(fitted, batch, manifest.schema))
