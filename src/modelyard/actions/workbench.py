"""Which processes a model is trained and sealed in, and with which libraries, as its ``isolation`` says."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import modelyard
from modelyard.actions.material import Material
from modelyard.authors.apart import module, surroundings, threads
from modelyard.errors import StoreDown
from modelyard.project import Project
from modelyard.records.run import Scalar
from modelyard.training import Limits, Trains, Worker, closure, enduring

if TYPE_CHECKING:
    from modelyard.training.environment import Python
    from modelyard.training.messages import Fitted, Seal


class Locked(NamedTuple):
    """What a model needs: name to version, sorted by name."""

    versions: dict[str, str]
    content: str | None
    """Of ``requirements.model.lock``, where training has an environment of its own."""


class Workbench(NamedTuple):
    trainer: Callable[[], Trains]
    """Starts the process that trains."""
    sealer: Callable[[], Worker] | None
    """Starts the one that seals, where the first lacks what that needs."""
    tried: Callable[[Path], Trains]
    """Starts one for a study's trials, which it measures too, in a folder of its own."""
    most: int | None = None
    """How many there can be at once."""

    def fit_and_seal(
        self,
        params: Mapping[str, Scalar],
        place: Path,
        *,
        material: Callable[[], Material],
        seal: Callable[[Path], Seal],
    ) -> Fitted:
        """Train in ``place`` on the ``material`` and seal what came out as ``seal`` says, given the test rows."""
        read = functools.cache(material)
        return enduring(lambda: self._once(params, place, read, seal), "The training")

    def _once(
        self,
        params: Mapping[str, Scalar],
        place: Path,
        material: Callable[[], Material],
        seal: Callable[[Path], Seal],
    ) -> Fitted:
        with self.trainer() as worker:
            begin, test, _ = material()  # read here while the code is imported there
            worker.begin(begin)
            fitted = worker.fit(params, record=place)
            if self.sealer is None:
                worker.seal(seal(test))
                return fitted
            assert isinstance(worker, Worker), "only this machine's workers leave models to others"
            left = worker.leave(place / "left")
        with self.sealer() as worker:
            worker.begin(begin)
            worker.adopt(place / "left", left)
            worker.seal(seal(test))
        return fitted


def requirements(project: Project, model: str) -> Locked:
    """The versions that the model is trained with; with ``venv`` its lock is written beside it when need be."""
    settings = project.model(model)
    folder = project.root / settings.code
    if settings.isolation == "process":
        return Locked(closure(folder), None)
    from modelyard.training.environment import lock, versions

    project.tell(f"locking the requirements of {model}")
    content = lock(folder)
    return Locked(versions(content), content)


def workbench(
    project: Project,
    model: str,
    place: Path,
    locked: str | None,
    *,
    code: Path,
    uses: Path | None = None,
    cwd: Path | None = None,
    hash_seed: str | None = None,
    python: Python | None = None,
) -> Workbench:
    """The processes, which run ``code`` in ``cwd`` (by default the project) and leave what they do in ``place``.

    Environments that they need are made now, of ``python`` or the one that runs here. ``hash_seed`` is their
    ``PYTHONHASHSEED``, by default that of this process, or 0. ``uses`` is the folder of the packages that the code
    asks; with it a model is trained where it is sealed, since they are opened there.
    """
    settings = project.model(model)
    limits = Limits.of(settings.timeout, settings.memory_gb)
    start = functools.partial(Worker, code, cwd=cwd or project.root, limits=limits, uses=uses)
    given = dict(os.environ) | ({"PYTHONHASHSEED": hash_seed} if hash_seed else {})
    share = _share(settings.tune.jobs if settings.tune else 1)
    if project.settings.engine.kind == "ray":
        return _on_a_cluster(project, model, place, code=code, uses=uses)
    if locked is None:
        return Workbench(
            lambda: _prepared(start(place, environ=given)),
            None,
            lambda folder: start(folder, environ=share | given),
        )
    from modelyard.training.bare import kit
    from modelyard.training.environment import THIS, extended, made, sealing

    project.tell(f"making the environment of {model}")
    home, made_of = project.home / "envs", python or THIS
    bare = made(locked, home, python=made_of)
    full = made(extended(locked, sealing(), home, python=made_of), home, python=made_of)
    source, apart = place / "source", place / "sealing"
    try:
        for folder in (source, apart):
            folder.mkdir()
        (source / "modelyard").symlink_to(Path(modelyard.__file__).parent)
        parts = kit(place / "kit")
    except OSError as error:
        raise StoreDown(f"{place} cannot be written: {error.strerror}.") from None
    whole = functools.partial(start, entry=module(full, "modelyard.actions.trainer"))
    if uses is not None:
        return Workbench(
            lambda: _prepared(whole(place, environ=surroundings(source, given))),
            None,
            lambda folder: whole(folder, environ=share | surroundings(source, given)),
        )
    return Workbench(
        lambda: start(
            place, entry=module(bare, "modelyard.training.bare"), environ=surroundings(parts, given)
        ),
        lambda: whole(apart, environ=surroundings(source, given)),
        lambda folder: whole(folder, environ=share | surroundings(source, given)),
    )


def _on_a_cluster(project: Project, model: str, place: Path, *, code: Path, uses: Path | None) -> Workbench:
    from modelyard.training.remote import Cluster, Remote
    from modelyard.training.seat import versions

    settings, engine = project.model(model), project.settings.engine
    project.tell("connecting to the Ray cluster")
    cluster = Cluster(engine.address, processors=engine.processors)
    share = threads(engine.processors)
    start = functools.partial(
        Remote,
        cluster,
        code,
        inside=settings.code,
        uses=uses,
        limits=Limits.of(settings.timeout, settings.memory_gb),
        environ={"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"), **share},
        needed=versions(closure(project.root / settings.code)),
    )
    return Workbench(lambda: start(place), None, start, cluster.most)


def _share(jobs: int) -> dict[str, str]:
    """What keeps the libraries of processes side by side to their share of the machine."""
    if jobs == 1:
        return {}
    return threads(max(1, len(os.sched_getaffinity(0)) // jobs))


def _prepared(worker: Worker) -> Worker:
    worker.prepare()
    return worker
