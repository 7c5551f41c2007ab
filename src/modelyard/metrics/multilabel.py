"""Scores of answers of which each holds any number of labels.

Arguments throughout: ``truth`` and ``prediction`` bool [n, k], a column a label; ``probability`` float [n, k] in [0, 1],
each label's own, so that a row need not sum to one. A macro score is the mean over the labels, a micro score takes all
cells together; areas leave out a label that the rows hold always or never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, DataRefused
from modelyard.metrics import binary
from modelyard.metrics.binary import Bools, Floats, ratio
from modelyard.records.package import Label

OF_ALL = (
    "f1_macro",
    "f1_micro",
    "subset_accuracy",
    "hamming_loss",
    "precision_macro",
    "recall_macro",
    "roc_auc_micro",
    "roc_auc_macro",
    "average_precision_micro",
    "average_precision_macro",
    "log_loss",
    "brier",
)
OF_LABELS = ("f1", "precision", "recall", "roc_auc", "average_precision")
"""With a label behind it, as ``recall_rain``."""
_AREAS = ("roc_auc", "average_precision")


def names(labels: Sequence[Label]) -> tuple[str, ...]:
    """The metrics of these labels."""
    return (*OF_ALL, *(f"{kind}_{label}" for kind in OF_LABELS for label in labels))


def is_one(name: str) -> bool:
    """Whether some labels have a metric of this name."""
    return name in OF_ALL or any(name.startswith(f"{kind}_") for kind in OF_LABELS)


def encode(values: NDArray[Any], classes: Sequence[Label]) -> Bools:
    """[n, k] in the order of ``classes`` of answers [n], each a list of labels; what is [n, k] stays as it is.

    ``AuthorError`` names a label that is not among ``classes``.
    """
    if values.ndim == 2:
        if values.shape[1] != len(classes):
            raise DataRefused(f"The rows hold {values.shape[1]} labels, and the model knows {len(classes)}.")
        return values.astype(np.bool_)
    found = np.zeros((len(values), len(classes)), dtype=np.bool_)
    place = {label: at for at, label in enumerate(classes)}
    try:
        for row, held in enumerate(values.tolist()):
            for label in held:
                found[row, place[label]] = True
    except KeyError as error:
        raise AuthorError(
            f"The model answered {error.args[0]!r}, which is none of its labels ({', '.join(map(str, classes))})."
        ) from None
    return found


def measure(
    truth: Bools, prediction: Bools, probability: Floats | None, labels: Sequence[Label]
) -> Callable[[Floats], dict[str, Floats]]:
    """What scores weightings [b, n] of these rows."""
    k = truth.shape[1]
    cells = np.vstack([binary.cell_columns(truth[:, j], prediction[:, j]) for j in range(k)])
    whole = (truth == prediction).all(axis=1).astype(np.float64)
    ranked = None if probability is None else _Ranked(truth, probability)

    def scores(weights: Floats) -> dict[str, Floats]:
        total = weights.sum(axis=-1)
        counts = binary.sums(weights, cells).reshape(-1, k, 2, 2)
        each = binary.label_scores(counts)
        fp, fn, tp = counts[..., 0, 1], counts[..., 1, 0], counts[..., 1, 1]
        found = {
            "subset_accuracy": ratio(binary.sums(weights, whole), total),
            "hamming_loss": ratio((fp + fn).sum(axis=-1), total * k),
            "f1_micro": ratio(2 * tp.sum(axis=-1), (2 * tp + fp + fn).sum(axis=-1)),
        }
        if ranked is not None:
            each |= ranked.areas(weights)
            found |= ranked.scores(weights, total)
        for kind in (kind for kind in OF_LABELS if kind in each):
            found[f"{kind}_macro"] = _mean(each[kind])
            for at, label in enumerate(labels):
                found[f"{kind}_{label}"] = each[kind][:, at]
        return found

    return scores


class _Ranked:
    """What does not depend on the weights: losses, and cells and rows by falling probability."""

    def __init__(self, truth: Bools, probability: Floats) -> None:
        self._k = k = truth.shape[1]
        self._each = [binary.rank(truth[:, j], np.ascontiguousarray(probability[:, j])) for j in range(k)]
        self._all = binary.rank(truth.reshape(-1), probability.reshape(-1))
        given = np.where(truth, probability, 1 - probability)
        squares = (probability - truth) ** 2
        self._losses = np.stack([binary.surprise(given).mean(axis=1), squares.mean(axis=1)])

    def areas(self, weights: Floats) -> dict[str, Floats]:
        """[b, k] of each label; NaN where its rows are all of one kind."""
        found: dict[str, list[Floats]] = {kind: [] for kind in _AREAS}
        for ranking in self._each:
            heaps = binary.heaps(ranking, weights)
            area = binary.area(*heaps)
            found["roc_auc"].append(area)
            found["average_precision"].append(np.where(np.isnan(area), np.nan, binary.stepped_area(*heaps)))
        return {kind: np.stack(areas, axis=-1) for kind, areas in found.items()}

    def scores(self, weights: Floats, total: Floats) -> dict[str, Floats]:
        heaps = binary.heaps(self._all, np.repeat(weights, self._k, axis=-1))
        means = binary.sums(weights, self._losses) / total[:, None]
        return {
            "roc_auc_micro": binary.area(*heaps),
            "average_precision_micro": binary.stepped_area(*heaps),
            "log_loss": means[:, 0],
            "brier": means[:, 1],
        }


def _mean(values: Floats) -> Floats:
    """[b] over the labels [b, k] that are defined; NaN where none is."""
    known = np.isfinite(values)
    counted = known.sum(axis=-1)
    sums = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(counted > 0, sums / np.maximum(counted, 1), np.nan)


def shares(truth: Bools, prediction: Bools, labels: Sequence[Label]) -> dict[str, tuple[int, int]]:
    """Hits and rows of each metric that is a share of rows."""
    found = {"subset_accuracy": (int((truth == prediction).all(axis=1).sum()), len(truth))}
    for at, label in enumerate(labels):
        both = int((truth[:, at] & prediction[:, at]).sum())
        found[f"recall_{label}"] = both, int(truth[:, at].sum())
        found[f"precision_{label}"] = both, int(prediction[:, at].sum())
    return found
