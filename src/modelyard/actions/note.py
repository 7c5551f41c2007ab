"""``versions note``: what a person says of a version."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.locate import version_of
from modelyard.project import Project, fresh
from modelyard.records.registry import Marks


def note(project: Project, ref: str, text: str, *, operation: str | None = None) -> Marks:
    """Put the note in place of the one before; an empty one takes it away."""
    version = version_of(project, ref)
    return project.yard.once(
        operation or fresh("note"),
        project.actor,
        lambda facts: registry.note(facts, model=version.model, version=version.number, text=text),
        Marks,
    )
