"""``train``: one run, sealed as a candidate package."""

from __future__ import annotations

import platform
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.actions.announced import announced
from modelyard.actions.material import material
from modelyard.actions.outcome import fail, kept, put, settle
from modelyard.actions.signed import merged, signed
from modelyard.actions.staged import shared, staged
from modelyard.actions.tune import Report, tune
from modelyard.actions.uses import laid, meant
from modelyard.actions.workbench import Locked, requirements, workbench
from modelyard.errors import AuthorError, StoreDown, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Package
from modelyard.records.run import Run, Scalar


def train(
    project: Project,
    model: str,
    *,
    params: Mapping[str, Scalar] | None = None,
    data: DatasetVersion | None = None,
    operation: str | None = None,
    report: Report | None = None,
) -> Run:
    """Train the model on ``data`` (by default its dataset's latest version) in a process of its own, and seal
    what came out.

    The run is on record from its start. A training that fails is recorded as a failed run with what it
    printed; nothing else changes. With ``tune`` in the settings it is trained with the best parameters that a study
    finds; ``report`` is told of each trial.
    """
    from modelyard.training import identify, myself

    project.require("developer")
    settings = project.model(model)
    folder = project.root / settings.code
    version = data or latest_data(project, settings.data)
    settle(project, model)
    locked = requirements(project, model)
    with project.yard.read() as facts:
        uses = meant(project, facts, model)
    run = Run(
        id=uuid.uuid4().hex[:12],
        model=model,
        status="running",
        dataset=version.ref,
        dataset_digest=version.digest,
        params={**settings.params, **(params or {})},
        seed=settings.seed,
        code=identify(folder, project.root, shared(project, model)),
        environment={**locked.versions, "python": platform.python_version(), "platform": platform.platform()},
        started=now(),
        process=myself(),
        uses=uses,
    )
    with announced(
        project,
        "train",
        model,
        run=run.id,
        commit=run.code.commit,
        parameters={**run.params, "seed": run.seed},
        data=version,
    ) as told:
        done = _done(project, run, version, locked, operation=operation, report=report or (lambda _: None))
        told.package(done.candidate or "", made=True)
    return done


def _done(
    project: Project,
    run: Run,
    version: DatasetVersion,
    locked: Locked,
    *,
    operation: str | None,
    report: Report,
) -> Run:
    project.yard.once(fresh("train"), project.actor, lambda facts: put(facts, run), Run)
    began = time.perf_counter()
    try:
        with staged(project, run.model) as code:
            done, package = _fit_and_seal(project, run, version, code, locked, report)
    except (Exception, KeyboardInterrupt) as error:
        reason = (str(error) or type(error).__name__) if isinstance(error, Exception) else "interrupted"
        fail(project, run, reason, seconds=time.perf_counter() - began)
        raise
    done = msgspec.structs.replace(done, seconds=time.perf_counter() - began)

    def save(facts: Facts) -> Run:
        put(facts, done)
        before = facts.packages.get(package.digest)
        if before is None or len(before.signatures) < len(package.signatures):
            facts.packages.put(merged(before, package))
        facts.events.append(
            "run.finished",
            f"{run.model}@run/{done.id}",
            package=package.digest,
            data=run.dataset,
            key=package.signatures[-1].key[:16],
        )
        return done

    saved = project.yard.once(operation or fresh("train"), project.actor, save, Run)
    if saved.id != run.id:
        fail(project, run, f"the same step was finished by run {saved.id}")
    shutil.rmtree(project.run_folder(run.id), ignore_errors=True)
    if done.study:
        project.study_file(run.model, done.study.key).unlink(missing_ok=True)
    return saved


def latest_data(project: Project, dataset: str) -> DatasetVersion:
    """The latest version of a dataset; ``UnknownName`` when it was never ingested."""
    project.data(dataset)
    with project.yard.read() as facts:
        version = facts.datasets.latest(dataset)
    if version is None:
        raise UnknownName(f"There is no version of '{dataset}' yet; run 'modelyard ingest {dataset}' first.")
    return version


def _fit_and_seal(
    project: Project, run: Run, version: DatasetVersion, code: Path, locked: Locked, report: Report
) -> tuple[Run, Package]:
    from modelyard import packaging
    from modelyard.training import identify
    from modelyard.training.messages import Seal

    settings = project.model(run.model)
    place = _made(project.run_folder(run.id))
    used = laid(project, run.uses, place / "uses")
    bench = workbench(project, run.model, place, locked.content, code=code, uses=used)

    def seal(test: Path) -> Seal:
        folder = project.root / settings.code
        if identify(folder, project.root, shared(project, run.model)).digest != run.code.digest:
            raise AuthorError(f"The code of {run.model} was edited while it was trained; train it again.")
        project.tell(f"packaging {run.model}")
        return Seal(
            test=str(test),
            folder=str(place / "package"),
            model=run.model,
            requirements=tuple(f"{name}=={version}" for name, version in locked.versions.items()),
            form=settings.form,
            tolerance=settings.proof_tolerance,
            python=platform.python_version(),
            uses=run.uses,
            used=str(used) if used else None,
            beside=settings.keep_native,
        )

    taken = None
    if settings.tune:
        taken = material(project, run, version, place)
        run = tune(project, run, version, bench=bench, material=taken, place=place, report=report)
    project.tell(f"training {run.model} on {version.ref}")
    fitted = bench.fit_and_seal(
        run.params, place, material=lambda: taken or material(project, run, version, place), seal=seal
    )
    digest = packaging.store(place / "package", project.artifacts)
    package = signed(project, Package(digest=digest, model=run.model, run=run.id, created=now()))
    done = msgspec.structs.replace(
        run,
        status="finished",
        params=fitted.params,
        candidate=digest,
        environment={**run.environment, "PYTHONHASHSEED": fitted.hash_seed},
        process=None,
    )
    return kept(project, done), package


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be made: {error.strerror}.") from None
    return folder
