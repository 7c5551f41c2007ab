"""``doctor``: what is wrong here, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from modelyard.actions.announced import outbox
from modelyard.actions.look import given_up, runs
from modelyard.errors import DatabaseDown, Outage, Tampered
from modelyard.project import Project, now
from modelyard.storage.doctor import Problem, examine
from modelyard.storage.scratch import size


def doctor(project: Project) -> list[Problem]:
    """Problems of the yard, of every stored dataset version and of this machine's services.

    Health is a list in which all is ``waste``. Every artifact and every part of a dataset that a fact
    refers to is read.
    """
    project.tell("reading the artifacts")
    problems = list(examine(project.yard, project.artifacts))
    try:
        problems += [*_datasets(project), *_services(project), *_hidden(project)]
    except DatabaseDown:
        if not problems:
            raise
    return [
        *problems,
        *(_left(folder) for folder in project.left_over()),
        *_lost(project),
        *_waiting(project),
    ]


def _datasets(project: Project) -> list[Problem]:
    from modelyard.data import inspect

    with project.yard.read() as facts:
        versions = facts.datasets.list()
        lost = given_up(facts)
    for version in versions if project.mirror else ():
        with contextlib.suppress(Tampered):  # what is gone is named below
            project.holding(version)
    return list(inspect(versions, project.tables, given_up=lost, now=now(), tell=project.tell))


def _services(project: Project) -> Iterator[Problem]:
    for environment in project.settings.environments:
        try:
            state = project.target.state(environment)
        except Outage as error:
            yield Problem(where=environment, sentence=str(error), fix="see that it can be reached")
            continue
        for model in project.settings.models:
            with project.yard.read() as facts:
                release = facts.releases.live(environment, model)
            if release and (
                not state
                or not state.workers
                or f"{model}/{environment}/{release.version}" not in state.models
            ):
                yield Problem(
                    where=f"{environment}/{model}",
                    sentence=f"{model}@{release.version} is live on record but no service answers for it.",
                    fix=f"run 'modelyard deploy {environment} {model}@{release.version}'",
                )


def _hidden(project: Project) -> Iterator[Problem]:
    with project.yard.read() as facts:
        aliases = facts.aliases.list()
    for alias in aliases:
        if alias.name in project.settings.environments:
            yield Problem(
                where=f"{alias.model}@{alias.name}",
                sentence=f"The alias '{alias.name}' of {alias.model}@{alias.version} is not reached any more, since "
                "an environment has its name.",
                fix=f"run 'modelyard versions alias {alias.model} {alias.name} --remove'",
            )


def _left(folder: Path) -> Problem:
    return Problem(
        where=str(folder),
        sentence=f"A command that was killed left it; it takes {size(folder):,} bytes.",
        fix="run 'modelyard gc'",
        waste=True,
    )


def _lost(project: Project) -> Iterator[Problem]:
    for run in runs(project):
        if run.status == "lost":
            yield Problem(
                where=f"{run.model}@run/{run.id}",
                sentence=f"Run {run.id} of {run.model} was begun at {run.started:%Y-%m-%d %H:%M}, and its process is gone.",
                fix="run 'modelyard gc', which records it as failed with what it left",
                waste=True,
            )


def _waiting(project: Project) -> Iterator[Problem]:
    box = outbox(project)
    if project.settings.lineage.openlineage and (many := box.waiting()):
        yield Problem(
            where=str(box.kept),
            sentence=f"{many} lineage events could not be delivered to {project.settings.lineage.openlineage} yet.",
            fix="see that it answers; they go with the next event",
        )
