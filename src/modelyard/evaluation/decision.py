"""What a two-class model's probabilities are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import SettingsError
from modelyard.evaluation.wanted import Prices
from modelyard.metrics import Answered, calibration
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.decision import Calibration, Costs, Estimate
from modelyard.records.package import Label, Task

_GRID = np.linspace(0.0, 1.0, 101)


def calibrated(
    task: Task, truth: NDArray[Any], answers: Answered, classes: Sequence[Label]
) -> Calibration | None:
    """Of two classes with probabilities; else None."""
    if task != "binary" or answers.probability is None:
        return None
    positive = encode_truth(truth, classes) == 1
    probability = np.clip(answers.probability[:, -1], 0.0, 1.0)
    parts = calibration.decompose(positive, probability)
    slope, intercept = calibration.recalibration(positive, probability)
    return Calibration(
        reliability=parts[0],
        resolution=parts[1],
        uncertainty=parts[2],
        within=parts[3],
        slope=slope and Estimate(value=slope[0], low=slope[1], high=slope[2]),
        intercept=intercept and Estimate(value=intercept[0], low=intercept[1], high=intercept[2]),
    )


def priced(
    task: Task, truth: NDArray[Any], answers: Answered, classes: Sequence[Label], prices: Prices
) -> Costs:
    """The mean cost a row, as packaged and at the threshold that the prices imply.

    With probabilities that mean what they say, answering the positive class from ``fp / (fp + fn)`` on
    costs least (Elkan 2001). As that looks at no row, its cost on the test rows is an honest estimate;
    the least cost of the what-if curve is not. Raises ``SettingsError`` where there are no two classes or
    no probabilities.
    """
    if task != "binary" or answers.probability is None:
        what = "a model without probabilities" if task == "binary" else f"a {task} model"
        raise SettingsError(f"'evaluation.costs' is for two classes with probabilities, and this is {what}.")
    positive = encode_truth(truth, classes) == 1
    probability = answers.probability[:, -1]
    threshold = prices.false_positive / (prices.false_positive + prices.false_negative)

    def cost(said: NDArray[np.bool_]) -> NDArray[np.float64]:
        paid = np.where(positive, prices.false_negative * ~said, prices.false_positive * said)
        return paid.astype(np.float64)

    packaged = cost(encode_answers(answers.prediction, classes) == 1)
    said = probability >= threshold
    chosen = cost(said)
    gap = chosen - packaged
    error = float(gap.std(ddof=1)) / math.sqrt(len(gap)) if len(gap) > 1 else 0.0
    low, high = metrics.interval(float(gap.mean()), error)
    cells = [[int(((positive == t) & (said == s)).sum()) for s in (False, True)] for t in (False, True)]
    return Costs(
        false_positive=prices.false_positive,
        false_negative=prices.false_negative,
        threshold=threshold,
        packaged=float(packaged.mean()),
        at_threshold=float(chosen.mean()),
        difference=Estimate(value=float(gap.mean()), low=low, high=high),
        confusion=tuple(tuple(row) for row in cells),
        thresholds=tuple(_GRID.tolist()),
        costs=_curve(positive, probability, prices),
    )


def _curve(
    positive: NDArray[np.bool_], probability: NDArray[np.float64], prices: Prices
) -> tuple[float, ...]:
    """Mean cost at each threshold of the grid, by counting below it."""
    missed = np.searchsorted(np.sort(probability[positive]), _GRID, side="left")
    others = np.sort(probability[~positive])
    alarms = len(others) - np.searchsorted(others, _GRID, side="left")
    costs = (prices.false_negative * missed + prices.false_positive * alarms) / len(positive)
    return tuple(float(c) for c in costs)
