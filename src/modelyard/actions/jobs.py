"""``jobs``: work that the yard hands out: asked for, looked at, cancelled, done again."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard import jobs
from modelyard.errors import Misuse
from modelyard.project import Project, fresh, now
from modelyard.records.job import Asked, Job, JobKind, JobState, Said

_FILES: tuple[JobKind, ...] = ("build",)
"""Kinds that work from the project's files."""


def ask(
    project: Project,
    kind: JobKind,
    models: Sequence[str] = (),
    *,
    environment: str = "",
    operation: str | None = None,
) -> Job:
    """Put work to the yard's queue, for any worker; what needs the project's files takes them along as they are now.

    A repeat of the same operation is the same job. Raises ``UnknownName`` for what the settings do not name.
    """
    for model in models:
        project.model(model)
    if environment:
        project.environment(environment)
    if kind == "trigger":
        raise Misuse("Triggers are looked at by 'modelyard trigger', and by 'modelyard up' each minute.")
    if kind == "monitor" and not environment:
        raise Misuse("A window is one of an environment: name it.")
    project.require("developer")
    operation = operation or fresh("ask")
    with project.yard.read() as facts:
        done = facts.done(operation, Job)
    if done is not None:
        return done
    digest, commit = "", ""
    if kind in _FILES:
        from modelyard.actions.snapshot import snapshot

        digest, commit = snapshot(project)
    asked = Asked(
        kind=kind,
        models=tuple(dict.fromkeys(models)),
        environment=environment,
        snapshot=digest,
        commit=commit,
    )
    return project.yard.once(
        operation, project.actor, lambda f: jobs.ask(f, asked, by=project.actor, now=now()), Job
    )


def listed(project: Project, *states: JobState, limit: int | None = None) -> list[Job]:
    """Newest first."""
    with project.yard.read() as facts:
        return facts.jobs.list(*states, limit=limit)


def shown(project: Project, job_id: int) -> Job:
    """Raises ``UnknownName``."""
    with project.yard.read() as facts:
        return jobs.found(facts, job_id)


def said(project: Project, job_id: int, *, after: int = 0) -> tuple[Job, list[Said]]:
    """The job as it is, and what it printed after that piece."""
    with project.yard.read() as facts:
        return jobs.found(facts, job_id), facts.jobs.said(job_id, after=after)


def cancel(project: Project, job_id: int, *, operation: str | None = None) -> Job:
    """It is not begun any more; where it runs, it is ended at its executor's next heartbeat."""
    return project.yard.once(
        operation or fresh("cancel"),
        project.actor,
        lambda facts: jobs.cancel(facts, job_id, now=now()),
        Job,
    )


def retry(project: Project, job_id: int, *, operation: str | None = None) -> Job:
    """A job that failed or was cancelled is done again, from the same files."""
    return project.yard.once(
        operation or fresh("retry"),
        project.actor,
        lambda facts: jobs.again(facts, job_id, now=now()),
        Job,
    )
