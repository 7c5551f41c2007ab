"""Rows of a dataset version for a person to look at; whoever reads the test split uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.actions.material import rows
from modelyard.authoring import TrainingData
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.dataset import DatasetVersion

if TYPE_CHECKING:
    import polars as pl

    from modelyard.data.shelf import Side


def read(project: Project, version: DatasetVersion, *, part: Side) -> pl.DataFrame:
    """The rows of one side of the split, or all, held against their digests, in the order they came in.

    All but the training rows are a use of the test split, on record before a row is read.
    """
    from modelyard.data import load

    _counted(project, version, part)
    return load(version, project.tables, part=part)


def training(project: Project, version: DatasetVersion, *, part: Side) -> TrainingData:
    """The rows as a ``train`` function is given them; counted as ``read`` is."""
    from modelyard.data import load
    from modelyard.training.rows import framed

    _counted(project, version, part)
    found = rows(load(version, project.tables, part=part, split=True), version.schema)
    return TrainingData.of(lambda kind: framed(found, version.schema, kind), folds=found.folds)


def _counted(project: Project, version: DatasetVersion, part: Side) -> None:
    def record(facts: Facts) -> None:
        facts.events.append("dataset.test_read", version.ref, data=version.ref)

    if part != "train":
        project.yard.once(fresh("read"), project.actor, record, type(None))
