"""``predict``: some rows now, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.actions.locate import located, opened
from modelyard.errors import DataRefused, SourceMissing
from modelyard.project import Project
from modelyard.records.package import Form, Label

if TYPE_CHECKING:
    import polars as pl

    from modelyard.predictor import Answers, Predictor


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    package: str
    classes: tuple[Label, ...]
    prediction: list[Any]
    probability: list[list[float]] | None = None
    levels: tuple[float, ...] = ()
    quantiles: list[list[float]] | None = None


def predict(project: Project, ref: str, file: Path, *, form: Form | None = None) -> Predicted:
    """Answer for the rows of a CSV or Parquet file with the package that ``ref`` names.

    The same schema check as in a service decides whether the rows are answered; columns that are
    no features are left aside. ``form`` is by default the one that serves.
    """
    from modelyard.data import extract
    from modelyard.tables.rules import of_features

    if not file.exists():
        raise SourceMissing(f"There is no file {file}.")
    package = located(project, ref)
    predictor = opened(project, package.digest, form=form)
    frame = extract(str(file.resolve()), file.parent.resolve(), schema=of_features(predictor.schema))
    answers = answered(predictor, frame, what=str(file))
    return Predicted(
        package=package.digest,
        classes=predictor.manifest.classes,
        prediction=answers.prediction.tolist(),
        probability=None if answers.probability is None else answers.probability.tolist(),
        levels=predictor.manifest.quantiles,
        quantiles=None if answers.quantiles is None else answers.quantiles.tolist(),
    )


def answered(predictor: Predictor, frame: pl.DataFrame, *, what: str) -> Answers:
    """The answers for a frame of features; ``DataRefused``, a sentence that begins with ``what``, when they do not
    fit the schema."""
    from modelyard.tables.check import check
    from modelyard.tables.gather import gather
    from modelyard.tables.rules import of_features

    schema = of_features(predictor.schema)
    checked = check(frame, schema)
    if checked.faults:
        raise DataRefused(f"{what}: {checked.faults[0].message}")
    return predictor.predict(gather(frame, schema))
