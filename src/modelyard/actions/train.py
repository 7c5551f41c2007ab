"""``train``: one run, sealed as a candidate package."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.errors import ModelyardError, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Package
from modelyard.records.run import Run, Scalar
from modelyard.storage.scratch import scratch


def train(
    project: Project, model: str, *, params: Mapping[str, Scalar] | None = None, operation: str | None = None
) -> Run:
    """Train the model on the latest version of its dataset and seal what came out.

    A training that fails is recorded as a failed run; nothing else changes.
    """
    from modelyard.training import closure, identify

    settings = project.model(model)
    folder = project.root / settings.code
    version = latest_data(project, settings.data)
    environment = closure(folder)
    run = Run(
        id=uuid.uuid4().hex[:12],
        model=model,
        status="running",
        dataset=version.ref,
        dataset_digest=version.digest,
        params={**settings.params, **(params or {})},
        seed=settings.seed,
        code=identify(folder, project.root),
        environment={**environment, "python": platform.python_version(), "platform": platform.platform()},
        started=now(),
    )
    began = time.perf_counter()
    try:
        done, package = _fit_and_seal(project, run, version, folder, tuple(environment.items()))
    except (ModelyardError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        failed = msgspec.structs.replace(
            run, status="failed", error=reason, seconds=time.perf_counter() - began
        )
        project.yard.once(fresh("train"), project.actor, lambda facts: _save_failed(facts, failed), Run)
        raise
    done = msgspec.structs.replace(done, seconds=time.perf_counter() - began)

    def save(facts: Facts) -> Run:
        facts.runs.put(done)
        if facts.packages.get(package.digest) is None:
            facts.packages.put(package)
        facts.events.append(
            "run.finished", f"{model}@run/{done.id}", package=package.digest, data=run.dataset
        )
        return done

    return project.yard.once(operation or fresh("train"), project.actor, save, Run)


def latest_data(project: Project, dataset: str) -> DatasetVersion:
    """The latest version of a dataset; ``UnknownName`` when it was never ingested."""
    project.data(dataset)
    with project.yard.read() as facts:
        version = facts.datasets.latest(dataset)
    if version is None:
        raise UnknownName(f"There is no version of '{dataset}' yet; run 'modelyard ingest {dataset}' first.")
    return version


def _save_failed(facts: Facts, run: Run) -> Run:
    facts.runs.put(run)
    facts.events.append("run.failed", f"{run.model}@run/{run.id}", error=(run.error or "")[:500])
    return run


def _fit_and_seal(
    project: Project,
    run: Run,
    version: DatasetVersion,
    folder: Path,
    environment: tuple[tuple[str, str], ...],
) -> tuple[Run, Package]:
    from modelyard import packaging, training
    from modelyard.data import load
    from modelyard.metrics import require
    from modelyard.tables.gather import gather, target

    settings = project.model(run.model)
    project.tell(f"training {run.model} on {version.ref}")
    frame = load(version, project.tables, part="train", split=True)
    held_back = load(version, project.tables, part="test")
    task, classes = training.tell(target(frame, version.schema), settings.task)
    for metric in settings.gates:
        require(metric, task)
    trained = training.fit(
        training.load(folder),
        frame,
        version.schema,
        params=run.params,
        seed=run.seed,
        task=task,
        classes=classes,
    )
    project.tell(f"packaging {run.model}")
    with scratch("modelyard-seal-") as place:
        packaging.seal(
            trained.fitted,
            place / "package",
            model=run.model,
            schema=version.schema,
            code=folder,
            requirements=tuple(sorted(f"{name}=={version}" for name, version in environment)),
            train=gather(frame, version.schema),
            test=gather(held_back, version.schema),
            form=settings.form,
            tolerance=settings.proof_tolerance,
            python=platform.python_version(),
        )
        digest = packaging.store(place / "package", project.artifacts)
    package = Package(digest=digest, model=run.model, run=run.id, created=now())
    done = msgspec.structs.replace(
        run,
        status="finished",
        params=trained.params,
        candidate=digest,
        environment={**run.environment, "PYTHONHASHSEED": str(trained.hash_seed)},
    )
    return done, package
