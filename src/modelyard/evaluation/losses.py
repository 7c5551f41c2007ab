"""How wrong each row's answer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import Answered, multilabel, quantile
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.package import Label, Task

LOSSES = {
    "brier": "squared distance of probability and outcome",
    "zero_one": "share of wrong answers",
    "hamming": "share of wrong labels",
    "absolute_error": "absolute error",
    "pinball": "pinball loss",
}


def losses(
    task: Task, truth: NDArray[Any], answers: Answered, classes: Sequence[Label]
) -> tuple[str, NDArray[np.float64], NDArray[np.bool_] | None]:
    """The loss's name, the loss [n] and, but for numbers, whether each label is wrong [n].

    Of probabilities the squared distance to what happened, summed over the classes and halved: bounded, so
    that a single row does not decide a mean; of several labels the mean over them. Of quantiles the pinball loss, the
    mean over the levels.
    """
    if answers.quantiles is not None:
        found = answers.quantiles
        pinball = quantile.pinball(truth.astype(np.float64), found.values, found.levels)
        return "pinball", pinball.mean(axis=1), None
    if task == "regression":
        error = np.abs(truth.astype(np.float64) - answers.prediction.astype(np.float64))
        return "absolute_error", error, None
    if task == "multilabel":
        return _of_labels(truth, answers, classes)
    true = encode_truth(truth, classes)
    wrong = encode_answers(answers.prediction, classes) != true
    if answers.probability is None:
        return "zero_one", wrong.astype(np.float64), wrong
    squares = (answers.probability**2).sum(axis=1)
    own = answers.probability[np.arange(len(true)), true]
    return "brier", (squares - 2 * own + 1) / 2, wrong


def _of_labels(
    truth: NDArray[Any], answers: Answered, classes: Sequence[Label]
) -> tuple[str, NDArray[np.float64], NDArray[np.bool_] | None]:
    wrong = multilabel.encode(answers.prediction, classes) != truth
    if answers.probability is None:
        return "hamming", wrong.mean(axis=1), wrong.any(axis=1)
    return "brier", ((answers.probability - truth) ** 2).mean(axis=1), wrong.any(axis=1)
