"""``build``: ingest, train, evaluate, package, register; what is done is not done again.

A step is known by its identity, the digest of all that it depends on. What it gave is kept in the
yard, so a build that was killed goes on where it stopped and one in which nothing changed looks
every step up. The identity is the operation id as well: a step is done once, whoever asks.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from modelyard.actions.ingest import settled
from modelyard.pipelines.crew import Crew, Told
from modelyard.pipelines.graph import Node, Verb, graph
from modelyard.pipelines.inputs import identity, inputs, ready
from modelyard.pipelines.steps import Done, Job, perform, told
from modelyard.project import Project

State = Literal["running", "done", "unchanged", "failed", "skipped"]
_TICK = 0.25
"""Seconds between two looks at the clock while steps run."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Where a step is; ``report`` is told each time that this changes."""

    name: str
    subject: str
    """The model, or the dataset of ``ingest``."""
    verb: str
    state: State
    result: str = ""
    """The reference that the step made or found."""
    seconds: float = 0.0
    note: str = ""
    """More about the result; what a running step is at; why one failed; what a skipped one needs."""


class Built(msgspec.Struct, kw_only=True):
    """What a build did. One model's failure does not stop the others."""

    steps: list[Step] = []
    """As each ended."""
    failures: dict[str, Exception] = {}
    """By step."""
    gave: dict[str, str] = {}
    """What each step made or found, whole."""

    def refuse(self) -> None:
        """Raise the first failure, if there was one."""
        for error in self.failures.values():
            raise error


def build(
    project: Project,
    models: Sequence[str],
    *,
    until: Verb = "register",
    jobs: int | None = None,
    report: Callable[[Step], None] = lambda _: None,
    tick: Callable[[], None] = lambda: None,
) -> Built:
    """Build the models up to a verb, independent steps side by side: at most ``jobs``, by default as many as cores.

    ``tick`` is called now and then while steps run. With one job, or one model, steps run in this process.
    """
    walk = _Walk(project, graph(project, models, until=until), report)
    most = jobs or len(os.sched_getaffinity(0))
    if most == 1 or len(set(models)) == 1:
        for job in iter(walk.next, None):
            walk.begin(job)
            walk.end(job.node.name, _here(project, job))
        return walk.built
    crew = Crew(project, most)
    try:
        _side_by_side(walk, crew, tick)
    finally:
        crew.end()
    return walk.built


def _side_by_side(walk: _Walk, crew: Crew, tick: Callable[[], None]) -> None:
    while True:
        while crew.free and (job := walk.next()) is not None:
            walk.begin(job)
            crew.begin(job)
        if not crew.busy:
            return
        ready()  # the steps that begin next are looked up as soon as these end
        for heard in crew.wait(_TICK):
            if isinstance(heard, Told):
                walk.note(heard.name, heard.sentence)
            else:
                walk.end(heard.name, heard.outcome)
        tick()


def _here(project: Project, job: Job) -> Done | Exception:
    try:
        return perform(project, job)
    except Exception as error:
        return error


class _Walk:
    """The graph as far as it is done."""

    def __init__(self, project: Project, nodes: dict[str, Node], report: Callable[[Step], None]) -> None:
        self._project, self._nodes, self._report = project, nodes, report
        self._left = deque(nodes.values())
        self._gave: dict[str, str] = {}
        self._lost: dict[str, str] = {}
        """Steps that cannot be done, and the failed one that each needs."""
        self.built = Built(steps=[], failures={}, gave=self._gave)

    def next(self) -> Job | None:
        """A step that must be done and can be, looking up those that need not; None when there is none now."""
        waiting: list[Node] = []
        found: Job | None = None
        while self._left and found is None:
            node = self._left.popleft()
            lost = next((need for need in node.needs if need in self._lost), None)
            if lost is not None:
                self._skip(node, self._lost[lost])
            elif all(need in self._gave for need in node.needs):
                found = self._looked_up(node)
            else:
                waiting.append(node)
        self._left.extendleft(reversed(waiting))
        return found

    def begin(self, job: Job) -> None:
        self._report(_step(job.node, "running"))

    def note(self, name: str, sentence: str) -> None:
        self._report(_step(self._nodes[name], "running", note=sentence))

    def end(self, name: str, outcome: Done | Exception) -> None:
        """Take in what became of a step."""
        node = self._nodes[name]
        if isinstance(outcome, Exception):
            self._lost[name] = name
            self.built.failures[name] = outcome
            self._ended(_step(node, "failed", note=str(outcome)))
            return
        self._gave[name] = outcome.result
        state: State = "unchanged" if outcome.cached else "done"
        self._ended(_step(node, state, result=outcome.result, seconds=outcome.seconds, note=outcome.note))

    def _looked_up(self, node: Node) -> Job | None:
        """The step as a job, unless it is done or cannot even be begun."""
        began = time.perf_counter()
        try:
            found = look(self._project, node, given(node, self._gave))
        except Exception as error:
            self.end(node.name, error)
            return None
        if isinstance(found, Job):
            return found
        self.end(node.name, msgspec.structs.replace(found, seconds=time.perf_counter() - began))
        return None

    def _skip(self, node: Node, lost: str) -> None:
        self._lost[node.name] = lost
        self._ended(_step(node, "skipped", note=f"needs {lost}"))

    def _ended(self, step: Step) -> None:
        self.built.steps.append(step)
        self._report(step)


def given(node: Node, gave: dict[str, str]) -> str:
    """What the step is about: of ``train`` the dataset version, after that the candidate."""
    if node.verb in ("ingest", "train"):
        return next((gave[need] for need in node.needs), "")
    return gave[f"{node.subject}/train"]


def look(project: Project, node: Node, about: str) -> Done | Job:
    """What the step gave, when it is done; else what there is to do.

    Raises ``GateFailed`` for an evaluation that was done and was a no.
    """
    if node.verb == "ingest":
        version = settled(project, node.subject)
        if version is None:
            return Job(node, "", ())
        return Done(version.ref, f"{version.rows} rows, {version.test_rows} held back", cached=True)
    with project.yard.read() as facts:
        needed = inputs(project, facts, node, about)
        record = facts.steps.get(identity(node.name, needed))
    return Job(node, about, needed) if record is None else told(record)


def _step(node: Node, state: State, *, result: str = "", seconds: float = 0.0, note: str = "") -> Step:
    return Step(
        name=node.name,
        subject=node.subject,
        verb=node.verb,
        state=state,
        result=result if "@" in result else result[:12],
        seconds=seconds,
        note=note,
    )
