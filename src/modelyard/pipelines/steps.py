"""One step done, at most once for its identity, and kept in the yard with what it depended on."""

from __future__ import annotations

import time

import msgspec

from modelyard.errors import AuthorError, DataRefused, GateFailed
from modelyard.pipelines.graph import Node
from modelyard.pipelines.inputs import changes, identity, inputs
from modelyard.project import Project, now
from modelyard.records.run import Run
from modelyard.records.step import Input, StepRecord


class Job(msgspec.Struct, frozen=True):
    """A step to do, with what the step before it gave."""

    node: Node
    given: str
    inputs: tuple[Input, ...]


class Done(msgspec.Struct, frozen=True):
    result: str
    note: str = ""
    seconds: float = 0.0
    cached: bool = False
    """Somebody else did it meanwhile."""


def perform(project: Project, job: Job) -> Done:
    """Do the step; another build that does it at the same time waits, and finds it done.

    Raises what the action raises. A gate that failed is kept as well: the same inputs would fail it again.
    """
    began = time.perf_counter()
    with project.lock(f"step-{job.node.subject}-{job.node.verb}"):
        if job.node.verb == "ingest":
            return _ingested(project, job.node.subject, began)
        key = identity(job.node.name, job.inputs)
        with project.yard.read() as facts:
            record = facts.steps.get(key)
        if record is not None:
            return told(record)
        try:
            result, note = _work(project, job, key)
        except GateFailed as error:
            if job.node.verb == "evaluate":
                _keep(project, job, key, "", began, refusal=str(error))
            raise
        _keep(project, job, key, result, began)
    return Done(result, note, time.perf_counter() - began)


def told(record: StepRecord) -> Done:
    """What a step that is done gave; raises ``GateFailed`` when that was a no."""
    if record.refusal:
        raise GateFailed(record.refusal)
    return Done(record.result, cached=True)


def _ingested(project: Project, dataset: str, began: float) -> Done:
    from modelyard.actions.ingest import ingest

    done = ingest(project, dataset)
    note = f"{done.version.rows} rows, {done.version.test_rows} held back"
    if done.schema_file:
        note += f"; what was seen is written in {done.schema_file}"
    return Done(done.version.ref, note, time.perf_counter() - began, cached=not done.new)


def _work(project: Project, job: Job, key: str) -> tuple[str, str]:
    operation = f"{job.node.verb}/{key}"
    if job.node.verb == "train":
        return _trained(project, job, operation)
    ref = f"{job.node.subject}@{job.given}"
    if job.node.verb == "evaluate":
        return _evaluated(project, job, ref, operation)
    if job.node.verb == "package":
        from modelyard.actions.package import package

        return package(project, ref).digest, "verified"
    from modelyard.actions.register import register

    version = register(project, ref, operation=operation)
    return version.ref, f"package {version.package[:12]}"


def _trained(project: Project, job: Job, operation: str) -> tuple[str, str]:
    from modelyard.actions.train import train

    name, _, number = job.given.partition("@")
    with project.yard.read() as facts:
        run = facts.done(operation, Run)
        data = facts.datasets.get(name, int(number))
    if run is None:  # else it was killed before the step was kept
        run = train(project, job.node.subject, data=data, operation=operation)
        with project.yard.read() as facts:
            moved = changes(job.inputs, inputs(project, facts, job.node, job.given))
        if moved:
            raise AuthorError(
                f"While {job.node.subject} was trained: {moved[0].sentence}; build again, to train what is there now."
            )
    return run.candidate or "", f"run {run.id}"


def _evaluated(project: Project, job: Job, ref: str, operation: str) -> tuple[str, str]:
    from modelyard import gates
    from modelyard.actions.evaluate import evaluate

    done = evaluate(project, ref, operation=operation)
    tested = next((given.shown for given in job.inputs if given.kind == "data"), "")
    if done.report.dataset != tested:
        raise DataRefused(
            f"While {job.node.subject} was tested, {tested} became {done.report.dataset}; build again."
        )
    gates.refuse(done.report.gates)
    first = done.report.metrics[0]
    return done.digest, f"{first.name} {first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"


def _keep(project: Project, job: Job, key: str, result: str, began: float, *, refusal: str = "") -> None:
    record = StepRecord(
        identity=key,
        step=job.node.name,
        result=result,
        refusal=refusal,
        inputs=job.inputs,
        seconds=time.perf_counter() - began,
        made=now(),
    )
    project.yard.once(f"step/{key}", project.actor, lambda facts: facts.steps.put(record), type(None))
