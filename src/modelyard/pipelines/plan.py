"""What a build would do, and why; nothing is done to find out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from modelyard.errors import ModelyardError
from modelyard.pipelines.build import given, look
from modelyard.pipelines.graph import Node, Verb, graph, node
from modelyard.pipelines.inputs import Change, changes, inputs, of_ingest, of_sources, read
from modelyard.pipelines.steps import Done
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.step import Input

Fate = Literal["unchanged", "run", "may run", "fail"]


_UNKNOWN = ("data", "candidate", "used model")
"""Inputs that a step before may change."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a step. ``may run``: that depends on what an earlier one gives."""

    name: str
    fate: Fate
    reasons: tuple[str, ...] = ()


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A step's inputs now, beside those of the last time that it was done."""

    step: str
    fate: Fate
    reasons: tuple[str, ...]
    inputs: tuple[Compared, ...]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    name: str
    before: str | None
    """None where there was no such input."""
    now: str | None
    changed: bool


def plan(project: Project, models: Sequence[str], *, until: Verb = "register") -> tuple[Planned, ...]:
    """Every step of a build of these models up to that verb, in order."""
    return _Plan(project, graph(project, models, until=until)).all()


def explain(project: Project, models: Sequence[str], step: str) -> Explained:
    """One step, thing by thing. Raises ``UnknownName`` when there is no such step."""
    nodes = graph(project, models)
    asked = node(nodes, step)
    made = _Plan(project, nodes)
    planned = next(one for one in made.all() if one.name == step)
    before, now = made.compared(asked)
    changed = {(change.kind, change.name) for change in changes(before, now)}
    old = {(given.kind, given.name): read(given) for given in before}
    new = {(given.kind, given.name): read(given) for given in now}
    return Explained(
        step=step,
        fate=planned.fate,
        reasons=planned.reasons,
        inputs=tuple(
            Compared(kind=at[0], name=at[1], before=old.get(at), now=new.get(at), changed=at in changed)
            for at in {**new, **old}
        ),
    )


class _Plan:
    def __init__(self, project: Project, nodes: dict[str, Node]) -> None:
        self._project, self._nodes = project, nodes
        self._gave: dict[str, str] = {}

    def all(self) -> tuple[Planned, ...]:
        planned: dict[str, Planned] = {}
        for step in self._nodes.values():
            planned[step.name] = self._planned(step, planned)
        return tuple(planned.values())

    def compared(self, step: Node) -> tuple[tuple[Input, ...], tuple[Input, ...]]:
        """Inputs of the last time and of now; those of now as far as the latest results tell."""
        with self._project.yard.read() as facts:
            if step.verb == "ingest":
                latest = facts.datasets.latest(step.subject)
                before = of_sources(latest) if latest else ()
                return before, of_ingest(self._project, step.subject)
            record = facts.steps.latest(step.name)
            about = self._about(facts, step)
            now = inputs(self._project, facts, step, about) if about else ()
            return (record.inputs if record else ()), now

    def _planned(self, step: Node, before: dict[str, Planned]) -> Planned:
        waited = (before[need] for need in step.needs if before[need].fate != "unchanged")
        try:
            if (needed := next(waited, None)) is not None:
                return self._after(step, needed)
            found = look(self._project, step, given(step, self._gave))
            if isinstance(found, Done):
                self._gave[step.name] = found.result
                return Planned(name=step.name, fate="unchanged")
            return Planned(name=step.name, fate="run", reasons=self._reasons(step))
        except ModelyardError as error:
            return Planned(name=step.name, fate="fail", reasons=(str(error),))

    def _after(self, step: Node, needed: Planned) -> Planned:
        """What can be said before it is known what the step before it gives."""
        if needed.fate == "fail":
            return Planned(name=step.name, fate="fail", reasons=(f"needs {needed.name}",))
        if never := self._never(step):
            return Planned(name=step.name, fate="run", reasons=(never,))
        known = [change for change in self._changes(step) if change.kind not in _UNKNOWN]
        reasons = tuple(change.sentence for change in known)
        return Planned(
            name=step.name, fate="run" if reasons else "may run", reasons=(*reasons, f"follows {needed.name}")
        )

    def _reasons(self, step: Node) -> tuple[str, ...]:
        if never := self._never(step):
            return (never,)
        found = tuple(change.sentence for change in self._changes(step))
        return found or ("its sources have to be read to tell",)

    def _never(self, step: Node) -> str:
        with self._project.yard.read() as facts:
            if step.verb == "ingest":
                return "" if facts.datasets.latest(step.subject) else "never ran"
            record = facts.steps.latest(step.name)
        if record is None:
            return "never ran"
        return "" if record.inputs else "an older Modelyard did it, and kept no inputs"

    def _changes(self, step: Node) -> tuple[Change, ...]:
        return changes(*self.compared(step))

    def _about(self, facts: Facts, step: Node) -> str:
        """What the step before it gave now or, as long as that is not known, the last time."""
        about = step.needs[0] if step.verb == "train" else f"{step.subject}/train"
        if about in self._gave:
            return self._gave[about]
        if step.verb == "train":
            latest = facts.datasets.latest(self._project.model(step.subject).data)
            return latest.ref if latest else ""
        record = facts.steps.latest(about)
        return record.result if record else ""
