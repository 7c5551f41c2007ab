"""How a run ends, whoever began it: what it left is kept, a failure is on record."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from modelyard.actions.tune import left
from modelyard.errors import StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.run import Artifact, Resources, Run


def put(facts: Facts, run: Run) -> Run:
    """The run onto the record."""
    facts.runs.put(run)
    return run


def fail(project: Project, run: Run, reason: str, *, seconds: float = 0.0) -> Run:
    """Record the run as failed, with all that it left behind."""
    with project.yard.read() as facts:
        begun = facts.runs.get(run.id) or run  # a study is on record from when it began
    failed = msgspec.structs.replace(
        kept(project, msgspec.structs.replace(run, study=begun.study)),
        status="failed",
        error=reason,
        seconds=seconds,
        process=None,
    )

    def save(facts: Facts) -> Run:
        on_record = facts.runs.get(run.id)
        if on_record is not None and on_record.status != "running":
            return on_record  # it ended after whoever calls it lost had looked
        facts.events.append("run.failed", f"{run.model}@run/{run.id}", error=reason[:500])
        return put(facts, failed)

    project.yard.once(fresh("train"), project.actor, save, Run)
    shutil.rmtree(project.run_folder(run.id), ignore_errors=True)
    return failed


def kept(project: Project, run: Run) -> Run:
    """The run with what its folder holds put into the artifact store."""
    from modelyard.training import LOG, RESOURCES
    from modelyard.training.points import parquet, summaries
    from modelyard.training.recorded import facts, points

    place = project.run_folder(run.id)
    log, logged, series = place / LOG, facts(place), points(place)
    try:
        return msgspec.structs.replace(
            run,
            log=project.artifacts.put_file(log) if log.exists() and log.stat().st_size else None,
            resources=_resources(place / RESOURCES),
            metrics={s.name: s.last for s in summaries(series, logged.metrics)},
            logged=logged.params,
            study=left(project, run),
            points=project.artifacts.put(parquet(series, logged.metrics)) if len(series) else None,
            artifacts=tuple(
                Artifact(
                    name=file.name,
                    kind=file.kind,
                    digest=project.artifacts.put_file(file.path),
                    size=file.path.stat().st_size,
                )
                for file in logged.files.values()
            ),
        )
    except StoreDown:
        if run.status == "finished":
            raise
        return run  # the reason why it failed matters more


def settle(project: Project, model: str | None = None) -> list[Run]:
    """Record runs, of one model or of all, whose process is gone as failed."""
    with project.yard.read() as facts:
        running = [run for run in facts.runs.list(model) if run.status == "running"]
    lost = [run for run in seen(project, running) if run.status == "lost"]
    return [fail(project, run, "its process was ended from outside") for run in lost]


def seen(project: Project, runs: list[Run]) -> list[Run]:
    """The runs as they are: ``lost`` where one is on record as running and its process is gone."""
    from modelyard.training import gone

    ended = {run.id for run in runs if run.status == "running" and run.process and gone(run.process)}
    if not ended:
        return runs
    with project.yard.read() as facts:  # one may have ended as it should since it was read
        again = {run: facts.runs.get(run) for run in ended}
    now = {
        k: msgspec.structs.replace(r, status="lost") if r.status == "running" else r
        for k, r in again.items()
        if r
    }
    return [now.get(run.id, run) for run in runs]


def _resources(path: Path) -> Resources | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Resources)
    except (OSError, msgspec.MsgspecError):
        return None
