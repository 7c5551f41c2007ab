"""``deprecate``: a version is to be used no more."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.locate import version_of
from modelyard.errors import Misuse
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Marks


def deprecate(
    project: Project, ref: str, *, reason: str, successor: str | None = None, operation: str | None = None
) -> Marks:
    """Refuse the version to ``promote`` and ``deploy`` from now on; what is live stays so.

    ``successor`` is the version of the same model to use instead.
    """
    version = version_of(project, ref)
    instead = version_of(project, successor) if successor else None
    if instead and instead.model != version.model:
        raise Misuse(f"{instead.ref} is another model's; a successor of {version.ref} is of {version.model}.")
    return project.yard.once(
        operation or fresh("deprecate"),
        project.actor,
        lambda facts: registry.deprecate(
            facts,
            model=version.model,
            version=version.number,
            reason=reason,
            successor=instead.number if instead else None,
            by=project.actor,
            now=now(),
        ),
        Marks,
    )


def reinstate(project: Project, ref: str, *, operation: str | None = None) -> Marks:
    """Let it be used again."""
    version = version_of(project, ref)
    return project.yard.once(
        operation or fresh("deprecate"),
        project.actor,
        lambda facts: registry.reinstate(facts, model=version.model, version=version.number),
        Marks,
    )
