"""What a template may name: records as the yard has them."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from modelyard.records.datareport import DataReport
from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Manifest, Proof
from modelyard.records.registry import Release, Review, Version
from modelyard.records.report import Report
from modelyard.records.run import Run
from modelyard.settings import ModelSettings
from modelyard.settings.cards import Answers


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one package. Without a version it is a candidate, or the document is made to stand beside the package."""

    about: Literal["model"] = "model"
    project: str
    ref: str
    """``screening@7``, or ``screening@`` and the package's digest."""
    package: str
    manifest: Manifest
    proof: Proof
    run: Run
    report: Report
    data: DatasetVersion | None
    """What it learnt from; None where that is not on record here."""
    settings: ModelSettings | None
    """Of the model as the project has it now."""
    version: Version | None = None
    releases: tuple[Release, ...] = ()
    """Of the version, oldest first."""
    reviews: tuple[Review, ...] = ()
    keys: tuple[str, ...] = ()
    """Ids of the keys that signed it."""
    answers: Answers = Answers()
    modelyard: str = ""
    """Modelyard's own version."""


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version of a dataset."""

    about: Literal["data"] = "data"
    project: str
    ref: str
    version: DatasetVersion
    report: DataReport
    """From the profile's counts: no row is read."""
    models: tuple[str, ...] = ()
    """References of the versions that learnt from it."""
    earlier: tuple[DatasetVersion, ...] = ()
    """Versions before it, ascending."""
    answers: Answers = Answers()
    modelyard: str = ""

    @property
    def created(self) -> dt.datetime:
        return self.version.created
