"""``runs``, ``versions``, ``releases``, ``data``: what the yard holds."""

from __future__ import annotations

from collections import Counter

import msgspec

from modelyard.actions.outcome import seen
from modelyard.actions.tune import up_to_now
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.registry import Release, Version
from modelyard.records.run import Run

_USES = ("package.evaluated", "package.reproduced", "dataset.test_read")
"""Events that tell of a look at a test split."""


def runs(project: Project, model: str | None = None) -> list[Run]:
    """Trainings, newest first; a running one whose process is gone is ``lost``."""
    with project.yard.read() as facts:
        found = facts.runs.list(model)
    return [up_to_now(project, run) for run in seen(project, found)]


def versions(project: Project, model: str | None = None) -> list[Version]:
    """Registered versions, ascending."""
    with project.yard.read() as facts:
        return facts.versions.list(model)


def releases(project: Project, environment: str | None = None, model: str | None = None) -> list[Release]:
    """Releases, newest first."""
    with project.yard.read() as facts:
        return facts.releases.list(environment, model)


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
