"""The steps of a build, and which of them need which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from modelyard.errors import UnknownName
from modelyard.project import Project

Verb = Literal["ingest", "train", "evaluate", "package", "register"]
VERBS: tuple[Verb, ...] = get_args(Verb)
CHAIN = VERBS[1:]


class Node(msgspec.Struct, frozen=True):
    """One step: ``patients/ingest`` of a dataset, ``screening/train`` of a model."""

    subject: str
    verb: Verb
    needs: tuple[str, ...] = ()
    """Steps that come before, nearest first; what is needed by those is needed too."""

    @property
    def name(self) -> str:
        return f"{self.subject}/{self.verb}"


def graph(project: Project, models: Sequence[str], *, until: Verb = "register") -> dict[str, Node]:
    """The steps of these models by name up to that verb, each after all that it needs.

    A dataset that several models learn from is ingested once. A model that another of these waits for is registered
    in any case.
    """
    nodes: dict[str, Node] = {}
    for model in _ordered(project, models):
        ingest = Node(project.model(model).data, "ingest")
        nodes.setdefault(ingest.name, ingest)
        needs = (ingest.name, *(f"{used}/register" for used in _awaited(project, model, models)))
        awaited = any(model in _awaited(project, other, models) for other in models)
        for verb in CHAIN if awaited else _up_to(until):
            node = Node(model, verb, needs)
            nodes[node.name] = node
            needs = (node.name,)
    return nodes


def _up_to(verb: Verb) -> tuple[Verb, ...]:
    return () if verb == "ingest" else CHAIN[: CHAIN.index(verb) + 1]


def _awaited(project: Project, model: str, models: Sequence[str]) -> list[str]:
    """Models of this build whose newest version the model uses."""
    refs = (ref.partition("@") for ref in project.model(model).uses)
    return [name for name, _, selector in refs if selector == "latest" and name in models]


def _ordered(project: Project, models: Sequence[str]) -> list[str]:
    """The models as they were given, but each after those that it waits for."""
    found: dict[str, None] = {}

    def take(model: str) -> None:
        for name in _awaited(project, model, models):
            take(name)
        found.setdefault(model)

    for model in models:
        take(model)
    return list(found)


def node(nodes: dict[str, Node], name: str) -> Node:
    """The step of that name; ``UnknownName`` with those that there are."""
    if name in nodes:
        return nodes[name]
    raise UnknownName(f"There is no step '{name}'; known: {', '.join(nodes) or 'none'}.")
