"""What ships: an immutable folder whose digest is the sha256 of its manifest."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from modelyard.records.schema import Schema
from modelyard.records.trust import Signature

Task = Literal["binary", "multiclass", "multilabel", "regression"]
Form = Literal["onnx", "native"]
FrameKind = Literal["pandas", "polars", "numpy"]
Label = bool | int | str


class PackagedFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    """Relative, with ``/``; never absolute, never with ``..``."""
    size: int
    sha256: str


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One set of rows on which the compiled form was held against the trained model."""

    name: str
    rows: int
    worst: float
    """Largest absolute difference of probabilities; of numbers, relative to the larger of their own size and
    the largest on the test split."""
    flips: int
    """Labels that differ."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ONNX form may serve, and on what evidence."""

    proven: bool
    tolerance: float
    probes: tuple[Probe, ...] = ()
    reason: str = ""
    """Why the model serves native; empty when proven."""


class Beside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The trained model beside the compiled form: what was opened again answered the test split as it did."""

    probe: Probe | None = None
    """On the test split."""
    reason: str = ""
    """Why it is not there."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where each feature stands in a batch: ``numbers`` [n, k] float64, ``texts`` [n, s]."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version whose answers another model's code asks for by ``my.used(model)``."""

    model: str
    number: int
    package: str
    """Its digest."""

    @property
    def ref(self) -> str:
        return f"{self.model}@{self.number}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a package; ``files`` lists every other file of its content."""

    format: int = 1
    model: str
    task: Task
    classes: tuple[Label, ...] = ()
    """In the order of the probabilities; of several labels their names."""
    quantiles: tuple[float, ...] = ()
    """Levels of a regression that answers a number for each, rising."""
    thresholds: tuple[float, ...] = ()
    """Of labels, in their order: each is answered above its own, without any above 0.5."""
    form: Form
    """The form that serves."""
    frame: FrameKind
    """What the trained model was fitted on, and what a native model is given."""
    custom_predict: bool = False
    """The author's ``predict`` answers instead of the estimator's own."""
    schema: Schema
    layout: Layout
    requirements: tuple[str, ...]
    """``name==version``, sorted, the closure of the model's requirements."""
    python: str
    uses: tuple[Used, ...] = ()
    """What was used in training; in a native package also carried, each as a whole package in ``uses/NAME@N``."""
    files: tuple[PackagedFile, ...]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed package as the yard knows it."""

    digest: str
    model: str
    run: str
    report: str | None = None
    """Digest of the report's record; an attestation, no part of the content."""
    sbom: str | None = None
    """Digest of the bill of materials."""
    card: str | None = None
    """Digest of the model card, in Markdown."""
    provenance: str | None = None
    """Digest of the signed statement how it came to be, which names report and bill of materials."""
    trained: str | None = None
    """Digest of its run's record, as another yard may have it."""
    lock: str | None = None
    """Digest of ``requirements.lock``: every library that it was sealed with, with the sha256 of its files."""
    unlocked: str = ""
    """Why there is none, where one was looked for."""
    signatures: tuple[Signature, ...] = ()
    """Of the content, oldest first, at most one of each key."""
    created: dt.datetime
