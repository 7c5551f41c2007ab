"""``predict``: some rows now, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from modelyard.actions.locate import located, opened
from modelyard.errors import DataRefused, SourceMissing
from modelyard.project import Project
from modelyard.records.package import Label


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    package: str
    classes: tuple[Label, ...]
    prediction: list[Any]
    probability: list[list[float]] | None = None


def predict(project: Project, ref: str, file: Path) -> Predicted:
    """Answer for the rows of a CSV or Parquet file with the package that ``ref`` names.

    The same schema check as in a service decides whether the rows are answered; columns that are
    no features are left aside.
    """
    from modelyard.data import extract
    from modelyard.tables.check import check
    from modelyard.tables.gather import gather
    from modelyard.tables.rules import of_features

    if not file.exists():
        raise SourceMissing(f"There is no file {file}.")
    package = located(project, ref)
    predictor = opened(project, package.digest)
    schema = of_features(predictor.schema)
    frame = extract(str(file.resolve()), file.parent.resolve(), schema=schema)
    checked = check(frame, schema)
    if checked.faults:
        raise DataRefused(f"{file}: {checked.faults[0].message}")
    answers = predictor.predict(gather(frame, schema))
    return Predicted(
        package=package.digest,
        classes=predictor.manifest.classes,
        prediction=answers.prediction.tolist(),
        probability=None if answers.probability is None else answers.probability.tolist(),
    )
