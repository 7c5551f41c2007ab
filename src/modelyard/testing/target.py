"""The conformance kit of ``Target``: subclass it and give it the fixtures ``target``, ``plan``,
``newer`` (a plan of the next generation that can be carried out) and ``broken`` (one that cannot).

class TestMyTarget(TargetKit):
    @pytest.fixture
    def target(self): ...            # nothing runs; whatever was started is ended afterwards
"""

from __future__ import annotations

import http.client
import urllib.parse

from modelyard.errors import ServiceDown
from modelyard.ports import Target
from modelyard.records.service import ServicePlan
from modelyard.testing.expect import expected

_PATIENCE = 30.0


class TargetKit:
    """What every target promises."""

    def address(self, plan: ServicePlan) -> str:
        """The URL at which a plan's service answers."""
        return f"http://{plan.host}:{plan.port}"

    def test_nothing_runs_at_first(self, target: Target, plan: ServicePlan) -> None:
        assert target.state(plan.environment) is None
        target.stop(plan.environment)

    def test_it_answers_when_apply_returns(self, target: Target, plan: ServicePlan) -> None:
        state = target.apply(plan, timeout=_PATIENCE)
        assert state.generation == plan.generation
        assert set(state.models) == {m.model_id for m in plan.models}
        assert self._ready(plan)
        assert target.state(plan.environment) == state

    def test_a_repeat_is_harmless(self, target: Target, plan: ServicePlan) -> None:
        first = target.apply(plan, timeout=_PATIENCE)
        again = target.apply(plan, timeout=_PATIENCE)
        assert (again.pid, again.workers) == (first.pid, first.workers)

    def test_a_newer_plan_takes_over(self, target: Target, plan: ServicePlan, newer: ServicePlan) -> None:
        target.apply(plan, timeout=_PATIENCE)
        state = target.apply(newer, timeout=_PATIENCE)
        assert state.generation == newer.generation
        assert set(state.models) == {m.model_id for m in newer.models}
        assert self._ready(newer)

    def test_what_cannot_be_leaves_what_is(
        self, target: Target, plan: ServicePlan, broken: ServicePlan
    ) -> None:
        target.apply(plan, timeout=_PATIENCE)
        with expected(ServiceDown):
            target.apply(broken, timeout=_PATIENCE)
        assert self._ready(plan)
        state = target.state(plan.environment)
        assert state is not None
        assert set(state.models) == {m.model_id for m in plan.models}
        assert target.apply(plan, timeout=_PATIENCE).generation == plan.generation

    def test_what_cannot_be_at_first_runs_nothing(self, target: Target, broken: ServicePlan) -> None:
        with expected(ServiceDown):
            target.apply(broken, timeout=_PATIENCE)
        assert target.state(broken.environment) is None

    def test_stop_ends_it(self, target: Target, plan: ServicePlan) -> None:
        target.apply(plan, timeout=_PATIENCE)
        target.stop(plan.environment)
        assert target.state(plan.environment) is None
        assert not self._ready(plan)
        assert target.apply(plan, timeout=_PATIENCE).generation == plan.generation

    def test_it_knows_its_plan_and_what_was_printed(self, target: Target, plan: ServicePlan) -> None:
        assert target.plan(plan.environment) is None
        assert target.logs(plan.environment) == ""
        target.apply(plan, timeout=_PATIENCE)
        assert target.plan(plan.environment) == plan
        assert isinstance(target.logs(plan.environment, lines=1), str)

    def test_a_candidate_disturbs_nothing(
        self, target: Target, plan: ServicePlan, newer: ServicePlan
    ) -> None:
        target.apply(plan, timeout=_PATIENCE)
        with target.candidate(newer, timeout=_PATIENCE) as candidate:
            assert candidate.url != self.address(plan)
            assert self._answers(candidate.url)
            assert candidate.memory_mb() > 0
            assert self._ready(plan)
            url = candidate.url
        assert not self._answers(url)
        state = target.state(plan.environment)
        assert state is not None
        assert state.generation == plan.generation

    def _ready(self, plan: ServicePlan) -> bool:
        return self._answers(self.address(plan))

    def _answers(self, url: str) -> bool:
        parts = urllib.parse.urlsplit(url)
        door = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            door.request("GET", "/v2/health/ready")
            return door.getresponse().status == 200
        except OSError:
            return False
        finally:
            door.close()
