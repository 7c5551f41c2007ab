"""``runs``, ``versions``, ``releases``, ``data``: what the yard holds."""

from __future__ import annotations

from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.registry import Release, Version
from modelyard.records.run import Run


def runs(project: Project, model: str | None = None) -> list[Run]:
    """Trainings, newest first."""
    with project.yard.read() as facts:
        return facts.runs.list(model)


def versions(project: Project, model: str | None = None) -> list[Version]:
    """Registered versions, ascending."""
    with project.yard.read() as facts:
        return facts.versions.list(model)


def releases(project: Project, environment: str | None = None, model: str | None = None) -> list[Release]:
    """Releases, newest first."""
    with project.yard.read() as facts:
        return facts.releases.list(environment, model)


def data(project: Project, dataset: str | None = None) -> list[DatasetVersion]:
    """Dataset versions, ascending."""
    with project.yard.read() as facts:
        return facts.datasets.list(dataset)
