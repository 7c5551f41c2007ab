"""Tests of a candidate's service through its own doors, before any traffic is switched.

One file a kind; what a kind tests is a list of (name, test), and a test says what is wrong. ``performance`` asks for
load, which is another stage's: ``actions/try_out`` adds it.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Collection, Iterator

from modelyard.deployment.application import functional, integration, robustness, security
from modelyard.deployment.application.door import Door
from modelyard.deployment.application.subject import Subject, Test
from modelyard.errors import ModelyardError
from modelyard.records.tested import Outcome, TestKind
from modelyard.wire.problem import Problem

_KINDS: dict[TestKind, Callable[[Subject], list[tuple[str, Test]]]] = {
    "integration": integration.tests,
    "functional": functional.tests,
    "acceptance": functional.accepted,
    "robustness": robustness.tests,
    "security": security.tests,
}


def application_tests(subject: Subject, kinds: Collection[TestKind]) -> Iterator[Outcome]:
    """Run every test of these kinds; all are tried, none stops the others."""
    for kind, listed in _KINDS.items():
        if kind in kinds:
            for name, test in listed(subject):
                yield _tried(kind, name, test)


def _tried(kind: TestKind, name: str, test: Test) -> Outcome:
    begun = time.perf_counter()
    try:
        complaint = test()
    except (
        OSError,
        http.client.HTTPException,
        ModelyardError,
        Problem,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        complaint = f"{type(error).__name__}: {error}"
    took = time.perf_counter() - begun
    return Outcome(kind=kind, name=name, passed=not complaint, sentence=complaint, seconds=round(took, 4))


__all__ = ["Door", "Subject", "application_tests"]
