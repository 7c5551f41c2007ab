"""What the yard's kits do through its doors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

from modelyard.ports import Facts, Yard
from modelyard.testing import samples

T = TypeVar("T")
_operations = itertools.count()


def do(yard: Yard, work: Callable[[Facts], T], kind: type[T], *, actor: str = "ann") -> T:
    """``work`` as an operation of its own."""
    return yard.once(f"kit/{next(_operations)}", actor, work, kind)


def change(yard: Yard, *works: Callable[[Facts], object]) -> None:
    """All of ``works``, for their effect, as one operation."""

    def effect(facts: Facts) -> None:
        for work in works:
            work(facts)

    do(yard, effect, type(None))


def add_version(facts: Facts, number: int = 1) -> None:
    facts.packages.put(samples.package(f"r{number}"))
    facts.versions.add(samples.version(number))
