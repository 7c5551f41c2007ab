"""``promote``: admit a version to the next environment, gates and reviews included."""

from __future__ import annotations

from modelyard import gates, registry
from modelyard.actions.evaluate import judge
from modelyard.actions.locate import chosen, located, materialised, version_of
from modelyard.errors import Misuse, NotAdmitted
from modelyard.predictor import vouched
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Admission


def promote(
    project: Project,
    ref: str,
    *,
    to: str,
    where: str = "",
    reason: str = "",
    operation: str | None = None,
) -> Admission:
    """Admit a version to the environment ``to``; nothing goes live by it.

    A bare ``NAME`` is the version live in the environment before, or with ``where`` the newest admitted there of which
    that filter is true. Reviews are asked for first,
    then who signed it, then the gates are tried again on today's test split. Raises ``ReviewMissing``,
    ``NotAdmitted``, ``Untrusted`` or ``GateFailed``.
    """
    project.environment(to)
    project.require("deployer", to)
    environments, people = project.settings.environments, project.settings.people
    if where:
        version = chosen(project, ref, where, admitted=_before(project, to))
    else:
        version = version_of(project, ref if "@" in ref else f"{ref}@{_before(project, to)}")
    with project.yard.read() as facts:
        registry.admissible(
            facts,
            model=version.model,
            version=version.number,
            to=to,
            environments=environments,
            people=people,
        )
    trust = project.trust(to)
    if trust.always:
        vouched(materialised(project, version.package), digest=version.package, trust=trust)
    report = judge(project, located(project, version.ref))
    gates.refuse(report.gates)
    return project.yard.once(
        operation or fresh("promote"),
        project.actor,
        lambda facts: registry.promote(
            facts,
            model=version.model,
            version=version.number,
            to=to,
            environments=environments,
            by=project.actor,
            now=now(),
            people=people,
            where=where,
            reason=reason,
        ),
        Admission,
    )


def _before(project: Project, environment: str) -> str:
    names = list(project.settings.environments)
    at = names.index(environment)
    if at == 0:
        raise Misuse(f"'{environment}' is the first environment: registering admits to it.")
    return names[at - 1]


def waiting(project: Project, to: str) -> list[str]:
    """The models that are live in the environment before. Raises ``NotAdmitted`` when there is none."""
    project.environment(to)
    before = _before(project, to)
    with project.yard.read() as facts:
        models = sorted({version.model for version in facts.versions.list()})
        found = [model for model in models if facts.releases.live(before, model)]
    if not found:
        raise NotAdmitted(
            f"Nothing is live in {before} to promote to {to}; run 'modelyard deploy {before}' first."
        )
    return found
