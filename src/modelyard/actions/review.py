"""``review``: a person's answer to what an environment asks for."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.locate import version_of
from modelyard.errors import Misuse
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Review


def review(
    project: Project,
    ref: str,
    *,
    subject: str,
    yes: bool,
    reason: str,
    by: str | None = None,
    operation: str | None = None,
) -> Review:
    """Record a yes or no with its reason; the last answer on a subject counts.

    The name is recorded as asserted: no token proves it yet.
    """
    asked = {name for e in project.settings.environments.values() for name in e.reviews}
    if subject not in asked:
        known = ", ".join(sorted(asked)) or "nothing"
        raise Misuse(f"No environment asks for the review '{subject}'; what is asked for: {known}.")
    version = version_of(project, ref)
    person = by or project.actor
    return project.yard.once(
        operation or fresh("review"),
        person,
        lambda facts: registry.review(
            facts,
            model=version.model,
            version=version.number,
            subject=subject,
            yes=yes,
            reason=reason,
            by=person,
            now=now(),
        ),
        Review,
    )
