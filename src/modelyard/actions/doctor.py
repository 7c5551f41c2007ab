"""``doctor``: what is wrong here, and what to do."""

from __future__ import annotations

from modelyard.project import Project
from modelyard.storage.doctor import Problem, examine


def doctor(project: Project) -> list[Problem]:
    """Problems of the yard and of this machine's services; an empty list is health."""
    problems = list(examine(project.yard, project.artifacts))
    for environment in project.settings.environments:
        state = project.target.state(environment)
        for model in project.settings.models:
            with project.yard.read() as facts:
                release = facts.releases.live(environment, model)
            if release and (
                not state
                or not state.workers
                or f"{model}/{environment}/{release.version}" not in state.models
            ):
                problems.append(
                    Problem(
                        where=f"{environment}/{model}",
                        sentence=f"{model}@{release.version} is live on record but no service answers for it.",
                        fix=f"run 'modelyard deploy {environment} {model}@{release.version}'",
                    )
                )
    return problems
