"""``build``: ingest, train, evaluate, package, register; what is done is not done again.

A step is known by its identity, the digest of all that it depends on. Its result is kept in the
yard, so a build that was killed goes on where it stopped and one in which nothing changed looks
every step up. The identity is the operation id as well: a step is done once, whoever asks.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import msgspec

import modelyard
from modelyard.actions.ingest import ingest
from modelyard.errors import ModelyardError
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.settings import ModelSettings


class Step(msgspec.Struct, frozen=True, kw_only=True):
    verb: str
    model: str
    result: str
    """The reference that the step made or found."""
    cached: bool
    seconds: float
    note: str = ""


class Built(msgspec.Struct, kw_only=True):
    """What a build did. One model's failure does not stop the others."""

    steps: list[Step] = []
    failures: dict[str, ModelyardError] = {}

    def refuse(self) -> None:
        """Raise the first failure, if there was one."""
        for error in self.failures.values():
            raise error


def build(project: Project, models: Sequence[str], *, report: Callable[[Step], None] | None = None) -> Built:
    """Build the models, one after the other; ``report`` is told each step as it ends."""
    built = Built(steps=[], failures={})
    for name in models:
        project.model(name)
    for name in models:
        line = _Line(project, name, built, report or (lambda _: None))
        try:
            line.build()
        except ModelyardError as error:
            built.failures[name] = error
    return built


class _Line:
    """One model's steps in order."""

    def __init__(self, project: Project, model: str, built: Built, report: Callable[[Step], None]) -> None:
        self._project, self._model = project, model
        self._built, self._report = built, report

    def build(self) -> None:
        data = self._ingest()
        candidate = self._train(data)
        self._evaluate(candidate, data)
        self._package(candidate)
        self._register(candidate)

    def _ingest(self) -> DatasetVersion:
        began = time.perf_counter()
        done = ingest(self._project, self._project.model(self._model).data)
        rows = f"{done.version.rows} rows, {done.version.test_rows} held back"
        if done.schema_file:
            rows += f"; what was seen is written in {done.schema_file}"
        self._note("ingest", done.version.ref, not done.new, began, rows)
        return done.version

    def _train(self, data: DatasetVersion) -> str:
        """The digest of the candidate."""
        from modelyard.actions.workbench import requirements
        from modelyard.training import identify

        settings = self._project.model(self._model)
        locked = requirements(self._project, self._model)  # first: it may write the lock into the folder
        folder = self._project.root / settings.code
        identity = _identity(
            "train",
            self._model,
            data.digest,
            msgspec.json.encode(data.split),
            msgspec.json.encode(data.schema),
            identify(folder, self._project.root).digest,
            msgspec.json.encode(locked.versions, order="sorted"),
            msgspec.json.encode(_shaping(settings), order="sorted"),
        )
        return self._once("train", identity, lambda: self._trained(identity))

    def _trained(self, identity: str) -> tuple[str, str]:
        from modelyard.actions.train import train

        run = train(self._project, self._model, operation=f"train/{identity}")
        return run.candidate or "", f"run {run.id}"

    def _evaluate(self, candidate: str, data: DatasetVersion) -> None:
        settings = self._project.model(self._model)
        with self._project.yard.read() as facts:
            rivals = {
                gate.no_worse_than: facts.releases.live(gate.no_worse_than, self._model)
                for gate in settings.gates.values()
                if gate.no_worse_than
            }
        live = {name: release.package if release else "" for name, release in rivals.items()}
        gate_settings = msgspec.json.encode(settings.gates, order="sorted")
        rivalry = msgspec.json.encode(live, order="sorted")
        identity = _identity("evaluate", candidate, data.digest, gate_settings, rivalry)
        self._once("evaluate", identity, lambda: self._evaluated(identity, candidate))

    def _evaluated(self, identity: str, candidate: str) -> tuple[str, str]:
        from modelyard import gates
        from modelyard.actions.evaluate import evaluate

        done = evaluate(self._project, f"{self._model}@{candidate}", operation=f"evaluate/{identity}")
        gates.refuse(done.report.gates)
        first = done.report.metrics[0]
        return done.digest, f"{first.name} {first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"

    def _package(self, candidate: str) -> None:
        self._once("package", _identity("package", candidate), lambda: self._packaged(candidate))

    def _packaged(self, candidate: str) -> tuple[str, str]:
        from modelyard.actions.package import package

        found = package(self._project, f"{self._model}@{candidate}")
        return found.digest, "verified"

    def _register(self, candidate: str) -> None:
        identity = _identity("register", self._model, candidate)
        self._once("register", identity, lambda: self._registered(identity, candidate))

    def _registered(self, identity: str, candidate: str) -> tuple[str, str]:
        from modelyard.actions.register import register

        version = register(self._project, f"{self._model}@{candidate}", operation=f"register/{identity}")
        return version.ref, f"package {version.package[:12]}"

    def _once(self, verb: str, identity: str, work: Callable[[], tuple[str, str]]) -> str:
        began = time.perf_counter()
        with self._project.yard.read() as facts:
            result = facts.steps.get(identity)
        if result is not None:
            self._note(verb, _short(result), True, began, "")
            return result
        result, note = work()
        kept = result

        self._project.yard.once(
            f"step/{identity}",
            self._project.actor,
            lambda facts: facts.steps.put(identity, f"{self._model}/{verb}", kept),
            type(None),
        )
        self._note(verb, _short(result), False, began, note)
        return result

    def _note(self, verb: str, result: str, cached: bool, began: float, note: str) -> None:
        seconds = time.perf_counter() - began
        step = Step(verb=verb, model=self._model, result=result, cached=cached, seconds=seconds, note=note)
        self._built.steps.append(step)
        self._report(step)


def _shaping(settings: ModelSettings) -> dict[str, object]:
    """The settings that training and packaging read."""
    names = ("task", "seed", "params", "proof_tolerance", "form")
    return {name: getattr(settings, name) for name in names}


def _identity(*parts: str | bytes) -> str:
    digest = hashlib.sha256(modelyard.__version__.encode())
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def _short(result: str) -> str:
    return result if "@" in result else result[:12]
