"""What a training learns from and is proven on, as files of its run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelyard.actions.criteria import rules
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
    task, classes = tell(learnt.target, "regression" if settings.quantiles else settings.task)
    require(rules(settings), task, settings.quantiles)
    if settings.metric:
        known(settings.metric, task, settings.quantiles)
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
    )
    return Material(begin, write(held, place / "held"), folds)


def rows(frame: pl.DataFrame, schema: Schema) -> Rows:
    """Features, target and folds of a table that has its split."""
    from modelyard.tables.gather import gather, target
    from modelyard.tables.split import FOLD
    from modelyard.training.rows import Rows

    folds = frame[FOLD].cast(int).to_numpy() if FOLD in frame.columns else None
    return Rows(gather(frame, schema), target(frame, schema), folds)
