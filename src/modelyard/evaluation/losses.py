"""How wrong each row's answer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import Answered, quantile
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.package import Label, Task

LOSSES = {
    "brier": "squared distance of probability and outcome",
    "zero_one": "share of wrong answers",
    "absolute_error": "absolute error",
    "pinball": "pinball loss",
}


def losses(
    task: Task, truth: NDArray[Any], answers: Answered, classes: Sequence[Label]
) -> tuple[str, NDArray[np.float64], NDArray[np.bool_] | None]:
    """The loss's name, the loss [n] and, but for numbers, whether each label is wrong [n].

    Of probabilities the squared distance to what happened, summed over the classes and halved: bounded, so
    that a single row does not decide a mean. Of quantiles the pinball loss, the mean over the levels.
    """
    if answers.quantiles is not None:
        found = answers.quantiles
        pinball = quantile.pinball(truth.astype(np.float64), found.values, found.levels)
        return "pinball", pinball.mean(axis=1), None
    if task == "regression":
        error = np.abs(truth.astype(np.float64) - answers.prediction.astype(np.float64))
        return "absolute_error", error, None
    true = encode_truth(truth, classes)
    wrong = encode_answers(answers.prediction, classes) != true
    if answers.probability is None:
        return "zero_one", wrong.astype(np.float64), wrong
    squares = (answers.probability**2).sum(axis=1)
    own = answers.probability[np.arange(len(true)), true]
    return "brier", (squares - 2 * own + 1) / 2, wrong
