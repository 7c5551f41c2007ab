"""A job, done: decoded, given to one action or pipeline, and what came of it left for the worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec

from modelyard.actions.jobs import shown
from modelyard.actions.snapshot import unpacked
from modelyard.cli.output import say
from modelyard.cli.progress import Lines
from modelyard.errors import Misuse, Refusal
from modelyard.pipelines.leash import heed
from modelyard.pipelines.worker import RESULT, Ended, folder
from modelyard.project import Project, open_project
from modelyard.records.job import Job


def perform(here: Project, job_id: int) -> None:
    """Raises what the work raises, after it was left for the worker."""
    heed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    job = shown(here, job_id)
    if job.state != "running":
        raise Misuse(f"Job {job.id} is {job.state}; only a worker that holds it does it.")
    place = folder(here, job)
    try:
        result = _done(here, job, place)
    except (Refusal, Misuse) as error:
        _leave(place, Ended("no", reason=str(error)))
        raise
    except Exception as error:
        _leave(place, Ended("fault", reason=str(error) or type(error).__name__))
        raise
    _leave(place, Ended("done", result=result))


def _leave(place: Path, ended: Ended) -> None:
    draft = place / f"{RESULT}.draft"
    draft.write_bytes(msgspec.json.encode(ended))
    draft.replace(place / RESULT)


def _done(here: Project, job: Job, place: Path) -> str:
    asked, project = job.asked, here
    if asked.snapshot:
        root = unpacked(here, asked.snapshot, place / "project")
        os.chdir(root)
        project = open_project(root, actor=here.asserted, tell=here.tell)
    if asked.kind == "build":
        from modelyard.pipelines.build import build

        with Lines() as progress:
            built = build(project, asked.models or tuple(project.settings.models), report=progress.report)
        built.refuse()
        return ", ".join(step.result for step in built.steps if step.verb == "register")
    [model] = asked.models
    if asked.kind == "trigger":
        return _pursued(project, model)
    from modelyard.actions.watch import watch

    reports = watch(project, asked.environment, model)
    for report in reports:
        for alert in report.alerts:
            say(alert.sentence)
    if not reports:
        return ""
    told = f"{len(reports)} windows" if len(reports) != 1 else "1 window"
    return f"{told}, {sum(r.rows for r in reports)} predictions, {sum(len(r.alerts) for r in reports)} alerts"


def _pursued(project: Project, model: str) -> str:
    """What was decided and done; empty when there was nothing to do."""
    from modelyard.triggers import pursue

    with Lines() as progress:
        found = pursue(project, model, sparing=True, report=progress.report)
    decision, retraining = found.decision, found.retraining
    if retraining is not None and retraining.outcome is not None:
        return (
            f"retraining {retraining.number} ended, {retraining.outcome.replace('_', ' ')}: {retraining.said}"
        )
    return "" if decision.verdict == "no" else f"{decision.verdict}: {decision.reason}"
