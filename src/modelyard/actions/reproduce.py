"""``reproduce``: train a run again as it was trained, and say whether the same came out."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from modelyard.actions.locate import materialised
from modelyard.actions.look import given_up
from modelyard.actions.material import Material, material
from modelyard.actions.repeated import Held, answers, figures, files, outcomes
from modelyard.actions.retrieved import Retrieved, retrieved
from modelyard.actions.surroundings import Surroundings, surroundings
from modelyard.actions.trained import run_of
from modelyard.actions.uses import laid
from modelyard.actions.workbench import Workbench, workbench
from modelyard.errors import DataRefused, StoreDown, Tampered, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Manifest, Proof
from modelyard.records.reproduction import Again, Reproduction, Verdict
from modelyard.records.run import Number, Run
from modelyard.settings import EngineSettings, ModelSettings
from modelyard.storage.scratch import scratch
from modelyard.training import Worker

if TYPE_CHECKING:
    from modelyard.training.messages import Seal


def reproduce(
    project: Project, ref: str, *, tolerance: float | None = None, here: bool = False
) -> Reproduction:
    """Train the run that ``ref`` names again: its code, data, libraries, parameters and seed.

    What comes of it is compared and thrown away. Only when it is not the same to the bit are both models asked the
    test split, which is counted as a use of it. What came of it is on record. ``tolerance`` is by default that at which the model's compiled form counts as
    equal; ``here`` takes the libraries that are installed. Raises ``UnknownName`` for what is not kept any more,
    and as ``train`` does.
    """
    project.require("developer")
    began = time.perf_counter()
    run, _ = run_of(project, ref)
    manifest = _manifest(project, run)
    version = _data(project, run)
    try:
        with scratch("again-", project.scratch) as held, retrieved(project, run, manifest, held) as found:
            _require_trust(project, run)
            done = _repeat(project, run, manifest, version, found, held / "work", here=here)
            found_again = _compared(project, ref, done, tolerance)
    except OSError as error:
        raise StoreDown(f"{project.scratch} cannot be written: {error.strerror or error}.") from None
    _keep(project, found_again, run)
    return msgspec.structs.replace(found_again, seconds=time.perf_counter() - began)


class _Done(NamedTuple):
    """A training that was done again."""

    run: Run
    version: DatasetVersion
    then: Manifest
    now: Manifest
    digest: str
    place: Path
    test: Path
    bench: Workbench
    code: Retrieved
    around: Surroundings
    tolerance: float


def _require_trust(project: Project, run: Run) -> None:
    """Its code runs twice, to train and to answer."""
    from modelyard.predictor import vouched

    digest = run.candidate or ""
    trust = project.trust()
    vouched(materialised(project, digest), digest=digest, trust=trust, needs="code/model.py")


def _manifest(project: Project, run: Run) -> Manifest:
    from modelyard.predictor.verify import decode

    digest = run.candidate or ""
    if not project.artifacts.has(digest):
        raise UnknownName(
            f"The package of run {run.id} is not in the artifact store any more, so there is nothing to hold it against; "
            "run 'modelyard doctor'."
        )
    return decode(project.artifacts.get(digest), f"The manifest of package {digest[:12]}")


def _data(project: Project, run: Run) -> DatasetVersion:
    name, _, number = run.dataset.partition("@")
    if not number.isdecimal():
        raise UnknownName(
            f"How the package of run {run.id} was trained is not on record: it was imported, and made elsewhere."
        )
    with project.yard.read() as facts:
        version = facts.datasets.get(name, int(number))
        lost = run.dataset in given_up(facts)
    if version is None:
        raise UnknownName(
            f"{run.dataset}, which run {run.id} learned from, is not on record; run 'modelyard doctor'."
        )
    if version.digest != run.dataset_digest:
        raise Tampered(f"{run.dataset} is on record with another content than run {run.id} learned from.")
    if lost:
        from modelyard.data import whole

        with contextlib.suppress(Tampered):  # what is gone is gone from here as well
            project.holding(version)
        if not whole(version, project.tables):
            raise DataRefused(
                f"The rows of {run.dataset}, which run {run.id} learned from, were given up by 'modelyard gc --unused'; "
                "ingest the same sources again to have them back."
            )
    return version


def _repeat(
    project: Project,
    run: Run,
    manifest: Manifest,
    version: DatasetVersion,
    found: Retrieved,
    place: Path,
    *,
    here: bool,
) -> _Done:
    from modelyard.packaging import ASKED_NATIVE, BESIDE
    from modelyard.predictor import digest, verify
    from modelyard.training.messages import Seal

    proof = msgspec.json.decode(project.artifacts.get(_sha(manifest, "proof.json")), type=Proof)
    asked = _as_it_was(found.settings, run, manifest)
    around = surroundings(project, run, found.code, apart=asked.isolation == "venv", here=here)
    stage = _with(project, run.model, asked)
    place.mkdir()
    used = laid(project, run.uses, place / "uses")
    bench = workbench(
        stage,
        run.model,
        place,
        around.locked.content,
        code=found.code,
        uses=used,
        cwd=found.root,
        hash_seed=run.environment.get("PYTHONHASHSEED"),
        python=around.python,
    )
    taken: list[Material] = []

    def learnt() -> Material:
        taken.append(material(stage, run, version, place))
        return taken[0]

    def seal(test: Path) -> Seal:
        project.tell(f"packaging {run.model} again")
        return Seal(
            test=str(test),
            folder=str(place / "package"),
            model=run.model,
            requirements=tuple(f"{name}=={version}" for name, version in around.locked.versions.items()),
            form="native" if proof.reason == ASKED_NATIVE else "auto",
            tolerance=proof.tolerance,
            python=around.python.version,
            uses=run.uses,
            used=str(used) if used else None,
            beside=bool(_sha(manifest, BESIDE)),
        )

    project.tell(f"training {run.model} again on {version.ref}")
    bench.fit_and_seal(run.params, place, material=learnt, seal=seal)
    made = place / "package"
    return _Done(
        run=run,
        version=version,
        then=manifest,
        now=verify(made),
        digest=digest(made),
        place=place,
        test=taken[0].test,
        bench=bench,
        code=found,
        around=around,
        tolerance=proof.tolerance,
    )


def _as_it_was(settings: ModelSettings, run: Run, manifest: Manifest) -> ModelSettings:
    """What the record says over what the settings say; what only judges a model has no part in its training."""
    return msgspec.structs.replace(
        settings, task=manifest.task, seed=run.seed, params=run.params, tune=None, gates={}, metric=None
    )


def _with(project: Project, model: str, settings: ModelSettings) -> Project:
    models = {**project.settings.models, model: settings}
    return dataclasses.replace(
        project, settings=msgspec.structs.replace(project.settings, models=models, engine=EngineSettings())
    )


def _sha(manifest: Manifest, path: str) -> str:
    return next((file.sha256 for file in manifest.files if file.path == path), "")


def _compared(project: Project, ref: str, done: _Done, tolerance: float | None) -> Reproduction:
    reach = done.tolerance if tolerance is None else tolerance
    same = done.digest == done.run.candidate
    differ = () if same else files(done.then, done.now)
    held = Held(None, ()) if same else _asked(project, done)
    verdict: Verdict = "identical" if same else "different"
    if held.answers and held.answers.worst <= reach and not held.answers.flips:
        verdict = "equal"
    logged = figures(done.run.metrics, _logged(done.place))
    things = _inputs(done)
    if not same:
        things += tuple(outcomes(differ, held, reach, logged))
    return Reproduction(
        ref=ref,
        model=done.run.model,
        run=done.run.id,
        verdict=verdict,
        package=done.run.candidate or "",
        again=done.digest,
        things=things,
        tolerance=reach,
        files=differ,
        answers=held.answers,
        metrics=held.metrics,
        logged=logged,
        seconds=0.0,
    )


def _asked(project: Project, done: _Done) -> Held:
    project.tell(f"asking both {done.run.model} for the test split")
    digest = done.run.candidate or ""
    apart = done.place / "asked"
    apart.mkdir()
    original = project.package_folder(digest)
    if done.then.layout != done.now.layout or done.then.classes != done.now.classes:
        return Held(None, (), "They answer to other columns or with other classes.")
    with done.bench.tried(apart) as worker:
        assert isinstance(worker, Worker), "it is reproduced on this machine"
        return answers(worker, (original, done.place / "package"), done.test, apart, done.then)


def _logged(place: Path) -> dict[str, Number]:
    from modelyard.training.points import summaries
    from modelyard.training.recorded import facts, points

    return {summary.name: summary.last for summary in summaries(points(place), facts(place).metrics)}


def _inputs(done: _Done) -> tuple[Again, ...]:
    around, changes = done.around, "; ".join(done.around.changes)
    return (
        Again(thing="code", same=True, sentence=done.code.told),
        Again(thing="data", same=True, sentence=f"{done.version.ref}, {done.version.digest[:12]}"),
        Again(
            thing="environment",
            same=not changes,
            sentence=around.told + (f"; not as it was: {changes}" if changes else ""),
        ),
    )


def _keep(project: Project, found: Reproduction, run: Run) -> None:
    """What came out, and whether the test split was used for it."""
    used = {"data": run.dataset} if found.answers is not None else {}

    def append(facts: Facts) -> None:
        facts.events.append(
            "package.reproduced",
            f"{run.model}@run/{run.id}",
            package=found.package,
            verdict=found.verdict,
            **used,
        )

    project.yard.once(fresh("reproduce"), project.actor, append, type(None))
