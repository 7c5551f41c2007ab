"""What a model answers, and the one rule from probabilities to labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.tables.held import lists

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import Label


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """``prediction`` [n]: labels or numbers; ``probability`` [n, c] float64 in the order of the classes;
    ``quantiles`` [n, k] float64 in the order of the levels.

    ``probability`` is None for a regression and for a model that only gives labels, ``quantiles`` for
    every model that was not asked for them. Of several labels a prediction is the list of those that hold, in the
    order of the classes, and a probability each label's own.
    """

    prediction: NDArray[Any]
    probability: NDArray[np.float64] | None = None
    quantiles: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.intp]) -> Answers:
        """The answers to these rows."""
        probability = None if self.probability is None else self.probability[rows]
        quantiles = None if self.quantiles is None else self.quantiles[rows]
        return Answers(self.prediction[rows], probability, quantiles)


def of_quantiles(given: NDArray[np.float64], levels: tuple[float, ...]) -> Answers:
    """Answers of quantiles [n, k]; the prediction is the one of the ``middle`` level."""
    return Answers(np.ascontiguousarray(given[:, middle(levels)]), None, given)


def of_labels(
    probability: NDArray[np.float64], classes: tuple[Label, ...], thresholds: tuple[float, ...] = ()
) -> Answers:
    """Answers of probabilities [n, k]; a label holds above its threshold, without any where it is likelier than not."""
    return Answers(lists(probability > (thresholds or 0.5), classes), probability)


def middle(levels: tuple[float, ...]) -> int:
    """The place of the level nearest to the median, of two as near the lower."""
    return min(range(len(levels)), key=lambda at: (abs(levels[at] - 0.5), at))


def label_array(classes: tuple[Label, ...]) -> NDArray[Any]:
    """The classes [c] as bool, int64 or objects (strings), whichever holds them unchanged."""
    if classes and all(isinstance(c, bool) for c in classes):
        return np.array(classes, dtype=np.bool_)
    if classes and all(isinstance(c, int) and not isinstance(c, bool) for c in classes):
        return np.array(classes, dtype=np.int64)
    labels = np.empty(len(classes), dtype=object)
    labels[:] = classes
    return labels


def decide(probability: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[Any]:
    """The label [n] of each row's largest probability; of equal ones the first class wins."""
    return labels[probability.argmax(axis=1)]  # type: ignore[no-any-return]
