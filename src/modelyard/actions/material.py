"""What a training learns from and is proven on, as files of its run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelyard.actions.criteria import rules
from modelyard.errors import SettingsError
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.run import Run

if TYPE_CHECKING:
    import polars as pl

    from modelyard.records.schema import Schema
    from modelyard.training.dealing import Dealt
    from modelyard.training.messages import Begin
    from modelyard.training.rows import Rows


class Material(NamedTuple):
    begin: Begin
    test: Path
    """The rows to prove the package on."""
    dealt: Dealt | None
    """The training rows' folds, where the model is tuned."""


def material(
    project: Project, run: Run, version: DatasetVersion, place: Path, *, dealt: bool = False
) -> Material:
    """Write it into ``place``; with ``dealt`` in folds though the model is not tuned."""
    from modelyard.data import load
    from modelyard.gates import require
    from modelyard.metrics import require as known
    from modelyard.training import tell
    from modelyard.training.dealing import deal
    from modelyard.training.messages import Begin
    from modelyard.training.rows import write

    settings = project.model(run.model)
    tables = project.holding(version)
    frame = load(version, tables, part="train", split=True)
    learnt = rows(frame, version.schema)
    held = rows(load(version, tables, part="test", split=True), version.schema)
    declared = "regression" if settings.quantiles else settings.task
    task, classes = tell(learnt.target, declared, version.schema.labels)
    require(rules(settings), task, settings.quantiles, classes)
    if settings.metric:
        known(settings.metric, task, settings.quantiles, classes)
    if strange := sorted(set(settings.thresholds) - set(classes if task == "multilabel" else ())):
        labels = ", ".join(map(str, classes)) if task == "multilabel" else f"none, as it is a {task} model"
        raise SettingsError(
            f"'models.{run.model}.thresholds' names '{strange[0]}', which is no label of the model; its labels: {labels}."
        )
    folds = None
    if settings.tune or dealt:
        folds = deal(
            frame,
            learnt.target,
            schema=version.schema,
            split=version.split,
            folds=settings.tune.folds if settings.tune else None,
            seed=run.seed,
            classes=bool(classes),
        )
    begin = Begin(
        rows=str(write(learnt, place / "rows")),
        schema=version.schema,
        task=task,
        classes=classes,
        seed=run.seed,
        quantiles=settings.quantiles,
        thresholds=tuple(settings.thresholds.get(str(c), 0.5) for c in classes if settings.thresholds),
    )
    return Material(begin, write(held, place / "held"), folds)


def rows(frame: pl.DataFrame, schema: Schema) -> Rows:
    """Features, target and folds of a table that has its split."""
    from modelyard.tables.gather import gather, target
    from modelyard.tables.split import FOLD
    from modelyard.training.rows import Rows

    folds = frame[FOLD].cast(int).to_numpy() if FOLD in frame.columns else None
    return Rows(gather(frame, schema), target(frame, schema), folds)
