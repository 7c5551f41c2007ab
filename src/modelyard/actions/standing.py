"""How things stand for a model whose build may start again: what a decision rests on beside what fired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec

from modelyard import registry
from modelyard.actions.staged import shared
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.run import Code
from modelyard.records.trigger import State


def present(project: Project, model: str) -> Code:
    """The code as it is."""
    from modelyard.training import identify

    return identify(project.root / project.model(model).code, project.root, shared(project, model))


def standing(
    project: Project,
    model: str,
    *,
    moment: dt.datetime,
    code: str,
    data: DatasetVersion | None,
    count: bool = False,
    beside: str = "",
) -> State:
    """``data`` is what a build would learn from, where that is known; with ``count`` its fresh rows are counted,
    which reads it. ``beside`` is a retraining that is left out."""
    settings = project.trigger(model)
    with project.yard.read() as facts:
        there = [one for one in registry.retrainings(facts, model) if one.operation != beside]
        live = facts.versions.live(model, settings.environment or "")
        learned = _learned(live.dataset, facts.datasets.get) if live else None
    failures, failed = registry.failures(there)
    active = next((one for one in there if one.outcome is None), None)
    key = occasion(project, model, data=data, code=code) if data else ""
    return State(
        moment=moment,
        live=live.number if live else 0,
        under_way=active.operation if active else "",
        begun=there[0].begun if there else None,
        this_week=registry.this_week(there, moment),
        failures=failures,
        failed=failed,
        data=data.ref if data else "",
        fresh_rows=_fresh(project, learned, data, count) if data else None,
        built=bool(key) and registry.built(there, key),
    )


def occasion(project: Project, model: str, *, data: DatasetVersion, code: str) -> str:
    """What is built at most once: the model, code and settings, on these rows under its policy."""
    from modelyard.gates import policy

    settings = msgspec.json.encode(project.model(model), order="sorted").decode()
    return registry.key(policy.digest(project.trigger(model).policy), data.ref, f"{code} {settings}")


def _learned(ref: str, get: Callable[[str, int], DatasetVersion | None]) -> DatasetVersion | None:
    name, _, number = ref.partition("@")
    return get(name, int(number)) if number.isdigit() else None


def _fresh(project: Project, learned: DatasetVersion | None, data: DatasetVersion, count: bool) -> int | None:
    """Rows that came or were corrected since; all where nothing is live, or what it learned from is another dataset."""
    if learned is None or learned.dataset != data.dataset:
        return data.rows
    if learned.digest == data.digest:
        return 0
    if not count:
        return None
    from modelyard.actions.stored import rows
    from modelyard.data import differ

    project.tell(f"comparing {learned.ref} and {data.ref}")
    _, changes = differ(learned, data, rows(project, learned), rows(project, data))
    return changes.added + changes.changed
