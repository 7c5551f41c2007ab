"""``predict --explain``: one example through check, features, model and output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.actions.locate import located, opened
from modelyard.actions.stored import dataset_version
from modelyard.errors import DataRefused, Misuse, SourceMissing
from modelyard.project import Project
from modelyard.records.package import Form, Label, Package

if TYPE_CHECKING:
    from modelyard.predictor import Predictor
    from modelyard.tables.batch import Batch

_BACKGROUND = 500
"""Rows of the training data that an example is compared with."""
_SEED = 7


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature's way through the model; features are listed by how much they move the answer."""

    name: str
    value: Any
    typical: Any
    """The middle of the background's values, or the most frequent text."""
    mark: str | None = None
    """What the check minds without refusing, such as a value outside the range of the training data."""
    contribution: float
    error: float
    """Standard error of the contribution, which is estimated by sampling."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """``base`` plus all contributions is ``answer``, but for rounding."""

    package: str
    form: str
    row: int
    refused: list[str] = []
    """What the check refuses; then there is no answer."""
    prediction: Label | float | list[Label] | None = None
    probability: dict[str, float] = {}
    quantiles: dict[str, float] = {}
    of: str = ""
    """What the contributions are of: the predicted class's probability, or the number."""
    base: float | None = None
    answer: float | None = None
    background: str = ""
    features: list[Feature] = []


def explain(
    project: Project,
    ref: str,
    file: Path,
    *,
    row: int = 1,
    form: Form | None = None,
    label: str | None = None,
) -> Explained:
    """Why the package of ``ref`` answers as it does to one row (from 1) of a CSV or Parquet file.

    Of several labels ``label`` is the one to explain; by default the likeliest.
    """
    from modelyard.data import extract
    from modelyard.tables.check import check
    from modelyard.tables.gather import gather
    from modelyard.tables.rules import of_features

    if not file.exists():
        raise SourceMissing(f"There is no file {file}.")
    package = located(project, ref)
    predictor = opened(project, package.digest, form=form)
    several = predictor.manifest.task == "multilabel"
    if label is not None and (not several or label not in predictor.manifest.classes):
        known = (
            f"its labels are {', '.join(map(str, predictor.manifest.classes))}" if several else "it has none"
        )
        raise Misuse(f"{ref} does not tell the label '{label}'; {known}.")
    schema = of_features(predictor.schema)
    frame = extract(str(file.resolve()), file.parent.resolve(), schema=schema)
    if not 1 <= row <= frame.height:
        raise Misuse(f"{file} has {frame.height} rows; --row is one of them, from 1.")
    one = frame.slice(row - 1, 1)
    checked = check(one, schema)
    told = Explained(package=package.digest, form=form or predictor.manifest.form, row=row)
    if checked.faults:
        said = [fault.message.removeprefix("Row 1: ") for fault in checked.faults]
        return msgspec.structs.replace(told, refused=said)
    example = gather(one, schema)
    background, name = _background(project, package, predictor)
    return _explained(told, predictor, example, background, marks=checked.marks, name=name, label=label)


def _explained(
    told: Explained,
    predictor: Predictor,
    example: Batch,
    background: Batch,
    *,
    marks: dict[str, int],
    name: str,
    label: str | None,
) -> Explained:
    from modelyard.predictor.contributions import contributions

    manifest = predictor.manifest
    answers = predictor.predict(example)
    prediction = answers.prediction.tolist()[0]
    about, said = prediction, f"the answer is {prediction}"
    if manifest.task == "multilabel":
        chances = answers.probability
        likeliest = (
            (prediction or manifest.classes)[0] if chances is None else manifest.classes[chances[0].argmax()]
        )
        about = label or likeliest
        said = f"{about} is answered"
    at = list(manifest.classes).index(about) if answers.probability is not None else -1

    def ask(batch: Batch) -> NDArray[np.float64]:
        given = predictor.predict(batch)
        if at >= 0:
            assert given.probability is not None
            return given.probability[:, at]
        if manifest.task == "multilabel":
            return np.array([about in held for held in given.prediction.tolist()], dtype=np.float64)
        if manifest.classes:
            return np.asarray(given.prediction == prediction, dtype=np.float64)
        return np.asarray(given.prediction, dtype=np.float64)

    found = contributions(ask, example, background, seed=_SEED)
    columns = [*predictor.layout.numbers, *predictor.layout.texts]
    numbers = len(predictor.layout.numbers)
    kinds = {c.name: c.kind for c in predictor.schema.features}
    features = [
        Feature(
            name=column,
            value=_shown(example, i, numbers, kinds[column]),
            typical=_typical(background, i, numbers, kinds[column]),
            mark=next((m.partition(": ")[2] for m in marks if m.startswith(f"{column}: ")), None),
            contribution=float(found.values[i]),
            error=float(found.errors[i]),
        )
        for i, column in enumerate(columns)
    ]
    of = f"the probability of {about}" if at >= 0 else "the prediction"
    if at < 0 and manifest.classes:
        of = f"how often {said}"
    return msgspec.structs.replace(
        told,
        prediction=prediction,
        probability={}
        if answers.probability is None
        else {str(c): float(p) for c, p in zip(manifest.classes, answers.probability[0], strict=True)},
        quantiles={}
        if answers.quantiles is None
        else {f"{q:g}": float(v) for q, v in zip(manifest.quantiles, answers.quantiles[0], strict=True)},
        of=of,
        base=found.base,
        answer=found.answer,
        background=name,
        features=sorted(features, key=lambda feature: -abs(feature.contribution)),
    )


def _background(project: Project, package: Package, predictor: Predictor) -> tuple[Batch, str]:
    """Rows of what the model learnt from."""
    from modelyard.data import load
    from modelyard.tables.gather import gather
    from modelyard.tables.rules import of_features

    schema = of_features(predictor.schema)
    with project.yard.read() as facts:
        run = facts.runs.get(package.run)
    if run is not None:
        version = dataset_version(project, run.dataset)
        frame = load(version, project.holding(version), part="train")
        some = frame.sample(min(_BACKGROUND, frame.height), seed=_SEED)
        return gather(
            some.select([c.name for c in schema.features]), schema
        ), f"{version.ref}, {some.height} rows"
    raise DataRefused(
        f"The data that {package.model} learnt from is not in this yard, and contributions are against it."
    )


def _shown(batch: Batch, at: int, numbers: int, kind: str) -> Any:
    value = batch.texts[0, at - numbers] if at >= numbers else batch.numbers[0, at]
    return _plain(value, kind)


def _typical(batch: Batch, at: int, numbers: int, kind: str) -> Any:
    if at >= numbers:
        words, counts = np.unique([str(v) for v in batch.texts[:, at - numbers]], return_counts=True)
        return str(words[counts.argmax()])
    known = batch.numbers[:, at][~np.isnan(batch.numbers[:, at])]
    return _plain(float(np.median(known)), kind) if len(known) else None


def _plain(value: Any, kind: str) -> Any:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if kind == "boolean":
        return bool(value >= 0.5)
    if kind == "integer" and float(value).is_integer():
        return int(value)
    if kind in ("date", "datetime"):
        unit = "D" if kind == "date" else "us"
        return str(np.array(int(value)).astype(f"datetime64[{unit}]"))
    return value if isinstance(value, str) else float(value)
