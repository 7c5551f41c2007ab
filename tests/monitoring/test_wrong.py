"""Wrong answers, counted by version."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from modelyard.monitoring import wrong
from modelyard.records.canary import Arm


def counted(answers: list[Any], truth: list[str | None], tolerance: float | None = None) -> dict[int, Arm]:
    """All by version 3."""
    rows = pl.DataFrame(
        {"prediction": answers, "truth": pl.Series(truth, dtype=pl.String), "version": 3, "row": 0}
    )
    return wrong(rows, tolerance)


@pytest.mark.parametrize(
    ("answers", "truth"),
    [
        (["yes", "no", "yes", "no"], ['"yes"', '"no"', '"no"', None]),
        ([True, False, True, False], ["true", "false", "false", None]),
        ([1, 2, 1, 2], ["1", "2", "2", None]),
        (["1", "b", "1", "b"], ["1", '"b"', '"b"', None]),
    ],
)
def test_labels_are_right_or_wrong(answers: list[Any], truth: list[str | None]) -> None:
    assert counted(answers, truth) == {3: Arm(judged=3, errors=1)}


def test_numbers_are_wrong_beyond_the_tolerance() -> None:
    answers, truth = [1.0, 2.0, 3.0, 4.0], ["1.4", "2.6", '"lost"', None]
    assert counted(answers, truth, 0.5) == {3: Arm(judged=2, errors=1)}
    assert counted(answers, truth) == {}


def test_of_a_request_the_first_row_counts_for_the_version_that_answered() -> None:
    rows = pl.DataFrame(
        {
            "prediction": ["a", "b", "b", "b"],
            "truth": ['"b"', '"a"', '"b"', '"a"'],
            "version": [3, 3, 4, 4],
            "row": [0, 1, 0, 0],
        }
    )
    assert wrong(rows, None) == {3: Arm(judged=1, errors=1), 4: Arm(judged=2, errors=1)}


def test_nothing_told_is_nothing_judged() -> None:
    assert counted(["a"], [None]) == {}
    assert counted([[True, False]], ["[true, true]"]) == {}
