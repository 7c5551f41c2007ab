"""``data show``: what a dataset version holds."""

from __future__ import annotations

from modelyard.actions.stored import dataset_version, profile, rows
from modelyard.project import Project
from modelyard.records.datareport import DataReport


def show(project: Project, ref: str, *, relations: bool = True) -> DataReport:
    """Columns, classes, relations, balance, marks; without ``relations`` no row is read."""
    from modelyard.data import describe

    version = dataset_version(project, ref)
    counted = profile(project, version)
    if not relations:
        return describe(version, counted)
    project.tell(f"reading {version.ref}")
    return describe(version, counted, rows(project, version))
