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

    The name is recorded as asserted, unless a token proves it: then it is no other than the token's.
    """
    environments = project.settings.environments
    asking = [name for name, settings in environments.items() if subject in settings.reviews]
    if not asking:
        known = ", ".join(sorted({s for e in environments.values() for s in e.reviews})) or "nothing"
        raise Misuse(f"No environment asks for the review '{subject}'; what is asked for: {known}.")
    mine = [name for name in asking if name in project.person.environments]
    project.require("reviewer", (mine or asking)[0])
    if project.person.verified and by not in (None, project.actor):
        raise Misuse(f"The token is {project.actor}'s, who cannot answer for {by}; leave out --by.")
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
            people=project.settings.people,
            verified=project.person.verified,
        ),
        Review,
    )
