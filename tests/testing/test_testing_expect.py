"""The kits' own check of errors does refuse."""

from __future__ import annotations

import pytest

from modelyard.testing.expect import expected


def test_it_wants_the_error_and_the_name() -> None:
    with expected(ValueError, naming="blue"):
        raise ValueError("blue is wrong")
    with pytest.raises(AssertionError), expected(ValueError):
        pass
    with pytest.raises(AssertionError), expected(ValueError, naming="red"):
        raise ValueError("blue is wrong")
    with pytest.raises(KeyError), expected(ValueError):
        raise KeyError("x")
