"""``lineage``: where a dataset version or a model's version came from, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.actions.attestations import named
from modelyard.actions.stored import dataset_version
from modelyard.errors import Misuse
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.event import Event
from modelyard.records.lineage import Lineage, ModelLineage, TrainedRun, TrainedVersion, Window
from modelyard.records.package import Package, Used
from modelyard.records.registry import Release, Version
from modelyard.records.run import Run


def lineage(project: Project, ref: str) -> Lineage | ModelLineage:
    """Of a dataset version: source files, runs trained on it, versions registered from these runs, their releases,
    and versions whose code asks those. Of a model's version the run that made it, its data and source files, and the
    same both ways; the ``model_id`` of a prediction (``screening/prod/7``) names a version too.
    """
    if found := _MODEL_ID.fullmatch(ref):
        ref = f"{found['model']}@{found['number']}"
        project.environment(found["environment"])
    if _is_model(project, ref):
        return _of_model(project, ref)
    version = dataset_version(project, ref)
    with project.yard.read() as facts:
        known = _Known.of(facts)
    trained = [run for run in known.runs.values() if run.dataset == version.ref]
    return Lineage(
        dataset=version,
        runs=tuple(
            TrainedRun(
                run=run,
                versions=tuple(
                    TrainedVersion(
                        version=found, releases=known.releases_of(found), used_by=known.users(found)
                    )
                    for found in known.versions
                    if found.run == run.id
                ),
            )
            for run in reversed(trained)
        ),
    )


_MODEL_ID = re.compile(
    r"(?P<model>[^/@]+)/(?P<environment>[^/@]+)/(?P<number>[1-9][0-9]{0,17})(?:/(?:canary|shadow))?"
)


def _is_model(project: Project, ref: str) -> bool:
    name = ref.partition("@")[0]
    with project.yard.read() as facts:
        if facts.datasets.latest(name) is not None:
            return False
        return name in project.settings.models or facts.versions.latest(name) is not None


def _of_model(project: Project, ref: str) -> ModelLineage:
    from modelyard.registry import parse, resolve

    if parse(ref)[1] == "run":
        raise Misuse(f"{ref} is no registered version; write NAME@7, NAME@prod or NAME@latest.")
    with project.yard.read() as facts:
        version = resolve(facts, ref, tuple(project.settings.environments))
        known = _Known.of(facts)
        package = facts.packages.get(version.package)
        run = known.runs.get(version.run)
        data = _data(facts, run)
    return ModelLineage(
        version=version,
        run=run,
        data=data,
        attested=_attested(package) if package else {},
        releases=known.releases_of(version),
        windows=known.windows(version),
        uses=known.used(version),
        used_by=known.users(version),
    )


def _data(facts: Facts, run: Run | None) -> DatasetVersion | None:
    name, _, number = run.dataset.partition("@") if run else ("", "", "")
    found = facts.datasets.get(name, int(number)) if number.isdecimal() else None
    return found if found and run and found.digest == run.dataset_digest else None


def _attested(package: Package) -> dict[str, str]:
    return {name: digest for name, digest in named(package).items() if digest}


@dataclass(frozen=True)
class _Known:
    """What the yard holds, read once."""

    runs: dict[str, Run]
    """By id, newest first."""
    versions: Sequence[Version]
    releases: Sequence[Release]
    """Newest first."""
    events: Sequence[Event]

    @classmethod
    def of(cls, facts: Facts) -> _Known:
        return cls(
            {run.id: run for run in facts.runs.list()},
            facts.versions.list(),
            facts.releases.list(),
            facts.events.list(),
        )

    def releases_of(self, version: Version) -> tuple[Release, ...]:
        at = (version.model, version.number)
        return tuple(r for r in reversed(self.releases) if (r.model, r.version) == at)

    def windows(self, version: Version) -> tuple[Window, ...]:
        return tuple(
            Window(
                environment=str(event.payload["environment"]),
                since=str(event.payload["since"]),
                until=str(event.payload["until"]),
                rows=int(event.payload["rows"]),
                alerts=int(event.payload["alerts"]),
                judged=event.payload["judged"] == "yes",
            )
            for event in self.events
            if event.action == "window.examined" and event.object == version.ref
        )

    def used(self, version: Version) -> tuple[ModelLineage, ...]:
        """A version is registered after those that it uses, so this ends."""
        found = [v for v in self.versions if any(_is(u, v) for u in self._uses(version))]
        return tuple(
            ModelLineage(version=v, run=self.runs.get(v.run), releases=self.releases_of(v), uses=self.used(v))
            for v in found
        )

    def users(self, version: Version) -> tuple[ModelLineage, ...]:
        found = [v for v in self.versions if any(_is(u, version) for u in self._uses(v))]
        return tuple(
            ModelLineage(
                version=v, run=self.runs.get(v.run), releases=self.releases_of(v), used_by=self.users(v)
            )
            for v in found
        )

    def _uses(self, version: Version) -> tuple[Used, ...]:
        run = self.runs.get(version.run)
        return run.uses if run else ()


def _is(used: Used, version: Version) -> bool:
    return (used.model, used.number) == (version.model, version.number)
