"""Every environment's target behind one door."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from modelyard.ports import Candidate, Target
from modelyard.records.service import ServicePlan, ServiceState


class Targets:
    """A ``Target`` that asks the one of the environment; ``of`` opens it, at its first use."""

    def __init__(self, of: Callable[[str], Target]) -> None:
        self._of = of
        self._opened: dict[str, Target] = {}

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        return self._target(plan.environment).apply(plan, timeout=timeout)

    def state(self, environment: str) -> ServiceState | None:
        return self._target(environment).state(environment)

    def plan(self, environment: str) -> ServicePlan | None:
        return self._target(environment).plan(environment)

    def stop(self, environment: str) -> None:
        self._target(environment).stop(environment)

    def logs(self, environment: str, *, lines: int = 100) -> str:
        return self._target(environment).logs(environment, lines=lines)

    def drift(self, environment: str) -> tuple[str, ...]:
        return self._target(environment).drift(environment)

    def candidate(
        self, plan: ServicePlan, *, timeout: float = 20.0, workers: int = 1
    ) -> AbstractContextManager[Candidate]:
        return self._target(plan.environment).candidate(plan, timeout=timeout, workers=workers)

    def _target(self, environment: str) -> Target:
        if environment not in self._opened:
            self._opened[environment] = self._of(environment)
        return self._opened[environment]
