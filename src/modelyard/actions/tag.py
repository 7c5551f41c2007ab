"""``versions tag``: names with values, by which versions are found."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard import registry
from modelyard.actions.locate import version_of
from modelyard.errors import Misuse
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.registry import Marks


def tag(project: Project, ref: str, values: Mapping[str, str], *, operation: str | None = None) -> Marks:
    """Give the version all of these tags; an empty value takes one away."""
    if not values:
        raise Misuse("No tag is given; write NAME=VALUE, or NAME= to take one away.")
    version = version_of(project, ref)

    def give(facts: Facts) -> Marks:
        given = [
            registry.tag(facts, model=version.model, version=version.number, name=name, value=value)
            for name, value in values.items()
        ]
        return given[-1]

    return project.yard.once(operation or fresh("tag"), project.actor, give, Marks)
