"""The conformance kit of ``Forge``: subclass it and give it the fixtures ``forge`` and ``far``, the forge's other side.

class TestMyForge(ForgeKit):
    @pytest.fixture
    def far(self): ...      # a Far: what people see there; comments of others are there already
"""

from __future__ import annotations

from typing import Protocol

from modelyard.errors import ForgeDenied, ForgeDown
from modelyard.ports import Forge
from modelyard.testing.expect import expected

MARK = "[//]: # (a mark)"


class Far(Protocol):
    """The other side, as the kit looks at it and disturbs it."""

    def comments(self) -> list[str]: ...
    def states(self) -> list[bool]: ...
    def answer(self, *statuses: int) -> None:
        """Give these HTTP statuses to the next requests instead of an answer."""
        ...


class ForgeKit:
    """What every forge promises."""

    def test_one_comment_is_made_and_then_replaced(self, forge: Forge, far: Far) -> None:
        others = far.comments()
        forge.comment(f"{MARK}\nfirst", MARK)
        assert far.comments() == [*others, f"{MARK}\nfirst"]
        forge.comment(f"{MARK}\nsecond", MARK)
        assert far.comments() == [*others, f"{MARK}\nsecond"]

    def test_a_commit_has_a_state(self, forge: Forge, far: Far) -> None:
        forge.state(True, "x" * 1000)
        forge.state(False, "gates not met")
        assert far.states() == [True, False]

    def test_it_is_asked_again_while_it_is_at_fault(self, forge: Forge, far: Far) -> None:
        far.answer(502, 429)
        forge.state(True, "well")
        assert far.states() == [True]
        far.answer(*[503] * 20)
        with expected(ForgeDown):
            forge.state(True, "well")
        far.answer()
        assert far.states() == [True]

    def test_a_no_is_a_no(self, forge: Forge, far: Far) -> None:
        for status in (401, 403):
            far.answer(status)
            with expected(ForgeDenied):
                forge.state(True, "well")
        far.answer(422)
        with expected(ForgeDown):
            forge.state(True, "well")
        assert far.states() == []
