"""NannyML's rule and numbers for one column (0.13.1): Jensen-Shannon distance against three deviations of chunks.

Held against the tool's own answers in ``tests/monitoring/golden``. Infinities, which it cannot read, are left out as
gaps are. The reference is cut into ten chunks in the order of its rows; a chunk is as large as it comes, not as the window.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from modelyard.monitoring.evidently import Values, present

CHUNKS = 10
DEVIATIONS = 3


@dataclass(frozen=True)
class Said:
    value: float
    upper: float
    drifted: bool


def column(reference: Values, window: Values) -> Said | None:
    """What NannyML says of a column; None where one of both has no value left."""
    known = present(reference)
    if not len(known) or not len(present(window)):
        return None
    measure = _Numbers(known) if known.dtype == np.float64 else _Labels(known)
    size = max(len(reference) // CHUNKS, 1)
    chunks = [reference[at : at + size] for at in range(0, len(reference), size)]
    distances = np.array([measure.distance(chunk) for chunk in map(present, chunks) if len(chunk)])
    upper = float(distances.mean() + distances.std() * DEVIATIONS)
    value = measure.distance(present(window))
    return Said(value, upper, value > upper)


class _Numbers:
    """Shares in bins by Doane's rule over the reference; what falls outside is a bin of its own."""

    def __init__(self, reference: Values) -> None:
        self._bins = np.histogram_bin_edges(reference, bins="doane")
        self._shares = np.histogram(reference, bins=self._bins)[0] / len(reference)

    def distance(self, values: Values) -> float:
        return _distance(self._shares, np.histogram(values, bins=self._bins)[0] / len(values))


class _Labels:
    """Shares of the reference's labels; all others are one more."""

    def __init__(self, reference: Values) -> None:
        counts = Counter(reference.tolist())
        self._labels = sorted(counts)
        self._shares = np.array([counts[label] / len(reference) for label in self._labels])

    def distance(self, values: Values) -> float:
        counts = Counter(values.tolist())
        return _distance(self._shares, np.array([counts[label] / len(values) for label in self._labels]))


def _distance(reference: Values, window: Values) -> float:
    from scipy.spatial.distance import jensenshannon

    rest = 1 - window.sum()
    if rest > 0:
        window, reference = np.append(window, rest), np.append(reference, 0)
    return float(jensenshannon(reference, window, base=2))
