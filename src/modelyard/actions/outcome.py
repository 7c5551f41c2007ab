"""How a run ends, whoever began it: what it left is kept, a failure is on record."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from modelyard.errors import StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.run import Resources, Run


def put(facts: Facts, run: Run) -> Run:
    """The run onto the record."""
    facts.runs.put(run)
    return run


def fail(project: Project, run: Run, reason: str, *, seconds: float = 0.0) -> Run:
    """Record the run as failed, with all that it left behind."""
    failed = msgspec.structs.replace(
        kept(project, run), status="failed", error=reason, seconds=seconds, process=None
    )

    def save(facts: Facts) -> Run:
        facts.events.append("run.failed", f"{run.model}@run/{run.id}", error=reason[:500])
        return put(facts, failed)

    project.yard.once(fresh("train"), project.actor, save, Run)
    shutil.rmtree(project.run_folder(run.id), ignore_errors=True)
    return failed


def kept(project: Project, run: Run) -> Run:
    """The run with what its folder holds put into the artifact store."""
    from modelyard.training import LOG, RESOURCES

    place = project.run_folder(run.id)
    log = place / LOG
    try:
        digest = project.artifacts.put_file(log) if log.exists() and log.stat().st_size else None
    except StoreDown:
        return run  # the reason why it failed matters more
    return msgspec.structs.replace(run, log=digest, resources=_resources(place / RESOURCES))


def settle(project: Project, model: str | None = None) -> list[Run]:
    """Record runs, of one model or of all, whose process is gone as failed."""
    with project.yard.read() as facts:
        lost = [run for run in facts.runs.list(model) if seen(run).status == "lost"]
    return [fail(project, run, "its process was ended from outside") for run in lost]


def seen(run: Run) -> Run:
    """The run as it is: ``lost`` when it is on record as running and its process is gone."""
    from modelyard.training import gone

    if run.status == "running" and run.process is not None and gone(run.process):
        return msgspec.structs.replace(run, status="lost")
    return run


def _resources(path: Path) -> Resources | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Resources)
    except (OSError, msgspec.MsgspecError):
        return None
