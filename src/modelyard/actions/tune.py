"""The search for a run's parameters before it is trained with the best: what ``train`` does with ``tune``."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.material import Material
from modelyard.actions.workbench import Workbench
from modelyard.errors import AuthorError, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.dataset import DatasetVersion
from modelyard.records.run import Run, Study, Trial, best
from modelyard.settings import TuneSettings

if TYPE_CHECKING:
    from modelyard.records.package import Task
    from modelyard.training import Trains
    from modelyard.training.dealing import Dealt
    from modelyard.training.proposals import Proposals
    from modelyard.training.search import Plan


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that ended."""

    trial: Trial
    best: Trial | None
    done: int
    planned: int
    metric: str


Report = Callable[[Progress], None]


def tune(
    project: Project,
    run: Run,
    version: DatasetVersion,
    *,
    bench: Workbench,
    material: Material,
    place: Path,
    report: Report,
) -> Run:
    """The run with the best parameters and its study; what an earlier command finished of it is not done again.

    Each trial is on disk as it ends. Raises ``AuthorError`` with the first cause when every trial failed.
    """
    from modelyard.training import enduring
    from modelyard.training.book import Book
    from modelyard.training.search import Search

    key = _key(project, run, version)
    file, dealt = project.study_file(run.model, key), material.dealt
    if dealt is None:
        raise ValueError("a study needs rows in folds")
    with project.lock(f"study-{key[:32]}"):
        project.tell(f"tuning {run.model} on {version.ref}")
        hire = _hiring(bench, dealt, place)
        plan = _plan(project, run.model, material.begin.task, dealt, most=bench.most)
        worker, proposals = enduring(lambda: _begun_by(hire(0), project, run, plan), "The study")
        try:
            study = _study(project, run.model, key, plan, proposals.trials)
            _begun(project, msgspec.structs.replace(run, study=study))
            book = Book(file)
        except BaseException:
            worker.close()
            raise
        waiting = [worker]

        def seated(seat: int) -> Trains:
            taken = waiting.pop() if seat == 0 and waiting else hire(seat)
            taken.begin(msgspec.structs.replace(material.begin, folds=str(place / "dealt.npy")))
            return taken

        def heard(trial: Trial, found: Trial | None, done: int, planned: int) -> None:
            report(Progress(trial=trial, best=found, done=done, planned=planned, metric=plan.metric))

        search = Search(plan, proposals, book, hire=seated, heard=heard)
        try:
            search.run()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_how_to_go_on(len(book.trials), proposals.trials)) from None
        finally:
            book.close()
            for left in waiting:
                left.close()
        found = best(book.trials, higher=plan.higher)
        if found is None:
            file.unlink(missing_ok=True)  # what was wrong may not be in what the key is made of
            raise _all_failed(book.trials)
        study = msgspec.structs.replace(
            counted(study, book.trials),
            importance=proposals.importance(),
            trials=_put(project, book.trials),
        )
        return msgspec.structs.replace(run, study=study, params=found.params)


def trials_of(project: Project, run: Run) -> tuple[Trial, ...]:
    """The trials of a run by number, also while it runs."""
    if run.study is None:
        return ()
    if run.study.trials:
        return msgspec.json.decode(project.artifacts.get(run.study.trials), type=tuple[Trial, ...])
    from modelyard.training.book import read

    return tuple(sorted(read(project.study_file(run.model, run.study.key)), key=lambda trial: trial.number))


def up_to_now(project: Project, run: Run) -> Run:
    """The run with its study's counts, where it has not ended."""
    if run.study is None or run.study.trials:
        return run
    return msgspec.structs.replace(run, study=counted(run.study, trials_of(project, run)))


def left(project: Project, run: Run) -> Study | None:
    """The study of a run that ended badly, with its trials stored; those of the same study are left to go on."""
    if run.study is None or run.study.trials:
        return run.study
    found = trials_of(project, run)
    stored = _put(project, found) if found else None
    return msgspec.structs.replace(counted(run.study, found), trials=stored)


def counted(study: Study, trials: Sequence[Trial]) -> Study:
    """The study with what its trials come to."""
    states = Counter(trial.state for trial in trials)
    found = best(trials, higher=study.higher_is_better)
    return msgspec.structs.replace(
        study,
        complete=states["complete"],
        pruned=states["pruned"],
        failed=states["failed"],
        best=found.number if found else None,
        value=found.value if found else None,
    )


def _put(project: Project, trials: Sequence[Trial]) -> str:
    return project.artifacts.put(msgspec.json.encode(sorted(trials, key=lambda trial: trial.number)))


def _key(project: Project, run: Run, version: DatasetVersion) -> str:
    """Of all that a trial's value and the order of trials depend on; budgets are not among it."""
    settings = project.model(run.model)
    asked = settings.tune or TuneSettings()
    parts = (
        (run.model, version.digest, version.split, version.schema, run.code.digest, run.environment),
        (settings.task, settings.metric, settings.quantiles, run.seed, run.params, run.uses),
        *([settings.thresholds] if settings.thresholds else []),
        (asked.sampler, asked.folds, asked.pruner, asked.points),
        asked.trials if asked.sampler == "grid" else None,  # a part of a grid is drawn for its size
    )
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def _hiring(bench: Workbench, dealt: Dealt, place: Path) -> Callable[[int], Trains]:
    import numpy as np

    np.save(place / "dealt.npy", dealt.fold)

    def hire(seat: int) -> Trains:
        folder = place / f"seat{seat}"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreDown(f"{folder} cannot be made: {error.strerror}.") from None
        return bench.tried(folder)

    return hire


def _plan(project: Project, model: str, task: Task, dealt: Dealt, *, most: int | None) -> Plan:
    from modelyard import metrics
    from modelyard.training import Limits
    from modelyard.training.search import Plan

    settings = project.model(model)
    metric = settings.metric or metrics.default(task, settings.quantiles)
    asked = settings.tune or TuneSettings()
    return Plan(
        metric=metric,
        higher=metrics.higher_is_better(metric),
        dealt=dealt,
        jobs=min(asked.jobs, most or asked.jobs),
        pruned=asked.pruner == "median",
        patience=asked.patience,
        seconds=Limits.of(asked.timeout, None).seconds,
    )


def _begun_by(worker: Trains, project: Project, run: Run, plan: Plan) -> tuple[Trains, Proposals]:
    try:
        return worker, _proposals(project, run, worker, plan)
    except BaseException:
        worker.close()
        raise


def _proposals(project: Project, run: Run, worker: Trains, plan: Plan) -> Proposals:
    """While the worker imports the code, this process imports Optuna."""
    from modelyard.training.proposals import Proposals, load

    load()
    asked = project.model(run.model).tune or TuneSettings()
    return Proposals(
        worker.space(),
        given=run.params,
        sampler=asked.sampler,
        trials=asked.trials,
        points=asked.points,
        seed=run.seed,
        higher=plan.higher,
        pruned=plan.pruned,
    )


def _study(project: Project, model: str, key: str, plan: Plan, planned: int) -> Study:
    asked = project.model(model).tune or TuneSettings()
    return Study(
        key=key,
        sampler=asked.sampler,
        metric=plan.metric,
        higher_is_better=plan.higher,
        planned=planned,
    )


def _begun(project: Project, run: Run) -> None:
    """The run onto the record with its study, so that others see its trials."""

    def put(facts: Facts) -> None:
        facts.runs.put(run)

    project.yard.once(fresh("tune"), project.actor, put, type(None))


def _how_to_go_on(done: int, planned: int) -> str:
    return f"stopped by Ctrl-C after {done} of {planned} trials, which are kept; the same command goes on with the others"


def _all_failed(trials: Sequence[Trial]) -> AuthorError:
    first = min(trials, key=lambda trial: trial.number)
    count = "The one trial" if len(trials) == 1 else f"Each of the {len(trials)} trials"
    return AuthorError(f"{count} of the study failed; the first: {first.error}")
