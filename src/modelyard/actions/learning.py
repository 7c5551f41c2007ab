"""The learning curve: a noun of ``evaluate``, which fits a run's model again on parts of its training rows."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modelyard.actions.material import material
from modelyard.actions.staged import shared, staged
from modelyard.actions.uses import laid
from modelyard.actions.workbench import requirements, workbench
from modelyard.errors import AuthorError
from modelyard.project import Project
from modelyard.records.learning import Learning, LearningPoint
from modelyard.records.package import Package
from modelyard.records.run import Run
from modelyard.storage.scratch import scratch
from modelyard.training import enduring

if TYPE_CHECKING:
    from modelyard.records.dataset import DatasetVersion
    from modelyard.training import Trains
    from modelyard.training.dealing import Dealt

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Of the rows that are not held out."""
_FOLDS = 5
"""Of more, so many are held out."""


def learning(project: Project, package: Package) -> Learning | None:
    """With the parameters, data and code of the run that made the package; None where the run is not on record.

    Code that was edited since would draw the curve of another model: ``note`` says so.
    """
    from modelyard.training import identify

    with project.yard.read() as facts:
        run = facts.runs.get(package.run)
        name, _, number = (run.dataset if run else "").partition("@")
        version = facts.datasets.get(name, int(number)) if number.isdecimal() else None
    if run is None or version is None:
        return None
    folder = project.root / project.model(run.model).code
    if identify(folder, project.root, shared(project, run.model)).digest != run.code.digest:
        note = f"The code of {run.model} was edited since it was trained: its curve would be another model's."
        return Learning(metric="", higher_is_better=True, note=note)
    with scratch("learning-", project.scratch) as place, staged(project, run.model) as code:
        return _drawn(project, run, version, place, code)


def _drawn(project: Project, run: Run, version: DatasetVersion, place: Path, code: Path) -> Learning:
    from modelyard import metrics

    begin, _, dealt = material(project, run, version, place, dealt=True)
    if dealt is None:
        raise ValueError("a learning curve needs rows in folds")
    np.save(place / "dealt.npy", dealt.fold)
    settings = project.model(run.model)
    metric = settings.metric or metrics.default(begin.task, settings.quantiles)
    locked = requirements(project, run.model).content
    used = laid(project, run.uses, place / "uses")
    bench = workbench(project, run.model, place, locked, code=code, uses=used)
    (place / "seat").mkdir()
    begin = msgspec.structs.replace(begin, folds=str(place / "dealt.npy"))

    def curve() -> tuple[tuple[LearningPoint, ...], str]:
        with bench.tried(place / "seat") as worker:
            worker.space()
            worker.begin(begin)
            return _curve(project, worker, run, dealt, metric)

    points, note = enduring(curve, "The learning curve")
    return Learning(
        metric=metric, higher_is_better=metrics.higher_is_better(metric), points=points, note=note
    )


def _curve(
    project: Project, worker: Trains, run: Run, dealt: Dealt, metric: str
) -> tuple[tuple[LearningPoint, ...], str]:
    points, note = list[LearningPoint](), ""
    for at, share in enumerate(SHARES):
        project.tell(f"learning curve of {run.model}: part {at + 1} of {len(SHARES)}")
        try:
            points.append(_point(worker, run, dealt, metric, share))
        except AuthorError as error:  # ten rows may not be enough to fit at all
            note = note or f"Without {100 * share:g} % of the rows: {error}"
            if not worker.alive:
                break
    return tuple(points), note


def _point(worker: Trains, run: Run, dealt: Dealt, metric: str, share: float) -> LearningPoint:
    values, rows = list[float](), list[int]()
    for fold in dealt.scored[:_FOLDS]:
        worker.renew()
        scored = worker.score(run.params, fold=fold, metric=metric, forward=dealt.forward, share=share)
        if scored.value is None:
            raise AuthorError(f"The answers to fold {fold} leave {metric} undefined.")
        values.append(scored.value)
        rows.append(scored.learnt)
    return LearningPoint(
        rows=round(statistics.mean(rows)), value=statistics.mean(values), folds=tuple(values)
    )
