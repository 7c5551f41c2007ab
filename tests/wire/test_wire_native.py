"""The service's own JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.wire.native import Replies

AWKWARD = 'a", "b],[\\\n\N{SNOWMAN}'


@pytest.mark.parametrize(
    ("classes", "levels", "prediction", "beside"),
    [
        (("no", AWKWARD), (), ["no", AWKWARD, "no"], [[0.9, 0.1], [0.25, 0.75], [1.0, 0.0]]),
        ((0, 1), (), [1, 0], [[0.5, 0.5], [1e-300, 1.0]]),
        ((), (), [1.5, float("nan"), -1e300], None),
        ((), (0.1, 0.5, 0.9), [2.0, 3.0], [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]),
        (("red", "wide"), (), [["red"], [], ["red", "wide"]], [[0.9, 0.1], [0.2, 0.3], [0.9, 0.8]]),
    ],
)
def test_replies_written_together_are_those_written_alone(
    classes: tuple[Any, ...],
    levels: tuple[float, ...],
    prediction: list[Any],
    beside: list[list[float]] | None,
) -> None:
    replies = Replies("m/prod/1", classes, levels)
    ids = [b"%026x" % i for i in range(len(prediction))]
    alone = [
        replies.write(each, prediction[i : i + 1], beside[i : i + 1] if beside is not None else None)
        for i, each in enumerate(ids)
    ]
    assert replies.each(ids, prediction, beside) == alone
    told = json.loads(alone[-1])
    assert told["request_id"] == ids[-1].decode()
    assert told["prediction"] == [None if prediction[-1] != prediction[-1] else prediction[-1]]
    assert told.get("quantiles" if levels else "probability") == (beside[-1:] if beside else None)
