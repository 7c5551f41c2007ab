"""``versions alias``: a name that people move from version to version."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.locate import version_of
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Alias


def alias(project: Project, ref: str, name: str, *, operation: str | None = None) -> Alias:
    """Give the name to the version, whoever had it before."""
    version = version_of(project, ref)
    return project.yard.once(
        operation or fresh("alias"),
        project.actor,
        lambda facts: registry.alias(
            facts,
            model=version.model,
            version=version.number,
            name=name,
            environments=tuple(project.settings.environments),
            by=project.actor,
            now=now(),
        ),
        Alias,
    )


def unalias(project: Project, model: str, name: str, *, operation: str | None = None) -> Alias:
    """Take the name away."""
    project.model(model)
    return project.yard.once(
        operation or fresh("alias"),
        project.actor,
        lambda facts: registry.unalias(facts, model=model, name=name),
        Alias,
    )
