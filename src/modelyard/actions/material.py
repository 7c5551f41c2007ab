"""What a training learns from and is proven on, as files of its run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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


def material(project: Project, run: Run, version: DatasetVersion, place: Path) -> Material:
    """Write it into ``place``."""
    from modelyard.data import load
    from modelyard.metrics import require
    from modelyard.training import tell
    from modelyard.training.dealing import deal
    from modelyard.training.messages import Begin
    from modelyard.training.rows import write

    settings = project.model(run.model)
    frame = load(version, project.tables, part="train", split=True)
    learnt = rows(frame, version.schema)
    held = rows(load(version, project.tables, part="test", split=True), version.schema)
    task, classes = tell(learnt.target, settings.task)
    for metric in (*settings.gates, *([settings.metric] if settings.metric else [])):
        require(metric, task)
    dealt = None
    if settings.tune:
        dealt = deal(
            frame,
            learnt.target,
            schema=version.schema,
            split=version.split,
            folds=settings.tune.folds,
            seed=run.seed,
            classes=bool(classes),
        )
    begin = Begin(
        rows=str(write(learnt, place / "rows")),
        schema=version.schema,
        task=task,
        classes=classes,
        seed=run.seed,
    )
    return Material(begin, write(held, place / "held"), dealt)


def rows(frame: pl.DataFrame, schema: Schema) -> Rows:
    """Features, target and folds of a table that has its split."""
    from modelyard.tables.gather import gather, target
    from modelyard.tables.split import FOLD
    from modelyard.training.rows import Rows

    folds = frame[FOLD].cast(int).to_numpy() if FOLD in frame.columns else None
    return Rows(gather(frame, schema), target(frame, schema), folds)
