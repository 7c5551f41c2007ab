"""The conformance kit of ``Pipelines``: subclass it and give it the fixtures ``pipelines`` and ``there``, the forge's other side.

class TestMyForge(PipelinesKit):
    @pytest.fixture
    def there(self): ...      # a There: what was started, and how to disturb it
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from modelyard.errors import ForgeDenied, ForgeDown, ForgeRefused
from modelyard.ports import Pipelines
from modelyard.ports.pipelines import OPERATION
from modelyard.testing.expect import expected

GIVEN = {
    "MODELYARD_MODEL": "demand",
    "MODELYARD_TRIGGER": "new_data,drift",
    OPERATION: "retrain/demand/0123456789ab",
}
OTHER = {**GIVEN, OPERATION: "retrain/demand/ba9876543210"}


class There(Protocol):
    def started(self) -> list[tuple[str, dict[str, str]]]:
        """Branch and variables of each, oldest first."""
        ...

    def answer(self, *statuses: int) -> None:
        """Give these HTTP statuses to the next requests, and start nothing."""
        ...

    def lose(self) -> None:
        """Start what is asked next, and end the connection without an answer."""
        ...


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class PipelinesKit:
    """What every forge's pipelines promise."""

    def test_it_is_started_with_the_variables_on_the_branch(self, pipelines: Pipelines, there: There) -> None:
        address = pipelines.start("main", GIVEN)
        assert address.startswith("http")
        assert there.started() == [("main", GIVEN)]

    def test_a_lost_answer_is_not_asked_for_twice_and_found_afterwards(
        self, pipelines: Pipelines, there: There
    ) -> None:
        asked = _now()
        pipelines.start("main", OTHER)
        there.lose()
        with expected(ForgeDown):
            pipelines.start("main", GIVEN)
        assert there.started() == [("main", OTHER), ("main", GIVEN)]
        assert pipelines.start("main", GIVEN, asked=asked).startswith("http")
        assert len(there.started()) == 2

    def test_what_was_not_started_is_though_others_were(self, pipelines: Pipelines, there: There) -> None:
        asked = _now()
        pipelines.start("main", OTHER)
        there.answer(502)
        with expected(ForgeDown):
            pipelines.start("main", GIVEN)
        assert there.started() == [("main", OTHER)]
        pipelines.start("main", GIVEN, asked=asked)
        assert there.started() == [("main", OTHER), ("main", GIVEN)]

    def test_it_waits_while_it_asks_too_often(self, pipelines: Pipelines, there: There) -> None:
        there.answer(429, 429)
        pipelines.start("main", GIVEN)
        assert there.started() == [("main", GIVEN)]

    def test_a_no_is_a_no(self, pipelines: Pipelines, there: There) -> None:
        for status, kind in (
            (401, ForgeDenied),
            (403, ForgeDenied),
            (404, ForgeRefused),
            (422, ForgeRefused),
        ):
            there.answer(status)
            with expected(kind):
                pipelines.start("main", GIVEN)
        assert there.started() == []
