"""``runs``, ``versions``, ``releases``, ``data``: what the yard holds."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import msgspec

from modelyard.actions.outcome import seen
from modelyard.actions.tune import up_to_now
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.registry import Deprecation, Marks, Release, Version
from modelyard.records.run import Run

_USES = ("package.evaluated", "package.reproduced", "dataset.test_read")
"""Events that tell of a look at a test split."""


def runs(project: Project, model: str | None = None) -> list[Run]:
    """Trainings, newest first; a running one whose process is gone is ``lost``."""
    with project.yard.read() as facts:
        found = facts.runs.list(model)
    return [up_to_now(project, run) for run in seen(project, found)]


class Registered(Version, frozen=True, kw_only=True):
    """A version as it is listed."""

    note: str = ""
    tags: dict[str, str] = {}
    aliases: tuple[str, ...] = ()
    deprecated: Deprecation | None = None
    live: tuple[str, ...] = ()
    """Environments that answer with it."""


def versions(
    project: Project,
    model: str | None = None,
    *,
    where: str = "",
    after: int = 0,
    limit: int | None = None,
) -> list[Registered]:
    """Registered versions, ascending; with ``where`` those of which that filter is true; of them ``limit`` past the
    number ``after``."""
    from modelyard.registry import search

    environments = tuple(project.settings.environments)
    with project.yard.read() as facts:
        found = (
            search(facts, where, environments=environments, model=model)
            if where
            else facts.versions.list(model)
        )
        return _registered(facts, [one for one in found if one.number > after][:limit], model)


def named(project: Project, ref: str) -> Version:
    """The version that ``NAME@7``, ``NAME@prod``, ``NAME@ALIAS`` or ``NAME@latest`` names. Raises ``UnknownName``, ``Misuse``."""
    from modelyard.registry import resolve

    with project.yard.read() as facts:
        return resolve(facts, ref, project.settings.environments)


def registered(project: Project, version: Version) -> Registered:
    """One of them."""
    with project.yard.read() as facts:
        return _registered(facts, [version], version.model)[0]


def _registered(facts: Facts, found: Sequence[Version], model: str | None) -> list[Registered]:
    marks = {(one.model, one.version): one for one in facts.labels.list(model)}
    named: dict[tuple[str, int], list[str]] = {}
    for alias in facts.aliases.list(model):
        named.setdefault((alias.model, alias.version), []).append(alias.name)
    live: dict[tuple[str, int], list[str]] = {}
    for release in facts.releases.list(model=model):
        if release.status == "live":
            live.setdefault((release.model, release.version), []).append(release.environment)
    shown = []
    for one in found:
        at = one.model, one.number
        said = marks.get(at) or Marks(model=one.model, version=one.number)
        shown.append(
            Registered(
                **msgspec.structs.asdict(one),
                note=said.note,
                tags=said.tags,
                aliases=tuple(named.get(at, ())),
                deprecated=said.deprecated,
                live=tuple(sorted(live.get(at, ()))),
            )
        )
    return shown


class Went(Release, frozen=True, kw_only=True):
    """A release as it is listed."""

    dataset: str = ""
    """What its version was trained on: ``patients@3``."""
    run: str = ""
    commit: str = ""
    """Of the code; empty where that was in no repository."""


def releases(
    project: Project,
    environment: str | None = None,
    model: str | None = None,
    *,
    at: dt.datetime | None = None,
) -> list[Went]:
    """Releases, newest first, with what they came from; with ``at`` those that were live then."""
    from modelyard.registry import live_at

    with project.yard.read() as facts:
        found = facts.releases.list(environment, model) if at is None else live_at(facts, at)
        wanted = [r for r in found if environment in (None, r.environment) and model in (None, r.model)]
        return [_went(facts, release) for release in wanted]


def _went(facts: Facts, release: Release) -> Went:
    version = facts.versions.get(release.model, release.version)
    run = facts.runs.get(version.run) if version else None
    return Went(
        **msgspec.structs.asdict(release),
        dataset=version.dataset if version else "",
        run=version.run if version else "",
        commit=(run.code.commit or "") if run else "",
    )


class Listed(DatasetVersion, frozen=True, kw_only=True):
    """A dataset version as it is listed."""

    test_uses: int = 0
    """How often models were scored on its test split, or a person read it: the more, the less its scores can be trusted."""


def data(project: Project, dataset: str | None = None) -> list[Listed]:
    """Dataset versions, ascending, with the uses of their test splits."""
    with project.yard.read() as facts:
        found = facts.datasets.list(dataset)
        events = facts.events.list() if found else []
    uses = Counter(e.payload.get("data") for e in events if e.action in _USES)
    return [Listed(**msgspec.structs.asdict(v), test_uses=uses[v.ref]) for v in found]


def given_up(facts: Facts) -> set[str]:
    """References of the dataset versions whose rows ``gc`` removed."""
    collected = [event for event in facts.events.list() if event.action == "yard.collected"]
    return {ref for event in collected for ref in str(event.payload.get("datasets", "")).split(", ")}
