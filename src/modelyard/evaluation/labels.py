"""Each of several labels on the test rows, and the threshold at which it would be told best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics import Answered, binary, multilabel
from modelyard.records.labels import LabelOutcome
from modelyard.records.package import Manifest


def labelled(manifest: Manifest, truth: NDArray[Any], answers: Answered) -> tuple[LabelOutcome, ...]:
    """One a label; none for other tasks."""
    if manifest.task != "multilabel":
        return ()
    said = multilabel.encode(answers.prediction, manifest.classes)
    found = []
    for at, label in enumerate(manifest.classes):
        told: dict[str, float] = {}
        if answers.probability is not None:
            told["threshold"] = manifest.thresholds[at] if manifest.thresholds else 0.5
            told |= _best(truth[:, at], np.ascontiguousarray(answers.probability[:, at]))
        outcome = LabelOutcome(
            label=str(label),
            rows=int(truth[:, at].sum()),
            answered=int(said[:, at].sum()),
            right=int((truth[:, at] & said[:, at]).sum()),
            **told,
        )
        found.append(outcome)
    return tuple(found)


def _best(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> dict[str, float]:
    """The middle between the two probabilities that part the rows at the highest F1."""
    if not truth.any():
        return {}
    ranking = binary.rank(truth, probability)
    found, alarms = binary.heaps(ranking, np.ones(len(truth)))
    f1 = 2 * found / (found + alarms + truth.sum())
    at = int(f1.argmax())
    falling = probability[ranking.order][ranking.ends]
    below = float(falling[at + 1]) if at + 1 < len(falling) else 0.0
    return {"best": (float(falling[at]) + below) / 2, "best_f1": float(f1[at])}
