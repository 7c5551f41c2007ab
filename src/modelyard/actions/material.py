"""What a training learns from and is proven on, as files of its run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.run import Run

if TYPE_CHECKING:
    import polars as pl

    from modelyard.training.dealing import Dealt
    from modelyard.training.messages import Begin


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
    from modelyard.tables.gather import gather, target
    from modelyard.tables.split import FOLD
    from modelyard.training import tell
    from modelyard.training.dealing import deal
    from modelyard.training.messages import Begin
    from modelyard.training.rows import Rows, write

    def rows(frame: pl.DataFrame) -> Rows:
        folds = frame[FOLD].cast(int).to_numpy() if FOLD in frame.columns else None
        return Rows(gather(frame, version.schema), target(frame, version.schema), folds)

    settings = project.model(run.model)
    frame = load(version, project.tables, part="train", split=True)
    learnt = rows(frame)
    held = rows(load(version, project.tables, part="test", split=True))
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
