"""How well one column alone tells a target: honest figures from binned counts.

Rows are cut into two halves; what a bin says of the target is learnt on one and judged on the other, so
that a column of single values (an identifier) tells nothing. Values are cut at quantiles into at most
``BINS`` bins, labels are bins of their own, and so is a missing value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 64

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


def bins(values: Values) -> Codes:
    """[n] bin numbers from 0; NaN is the last bin."""
    known = values[~np.isnan(values)]
    if not known.size:
        return np.zeros(values.size, dtype=np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    found = np.searchsorted(edges, values, side="left").astype(np.int64)
    found[np.isnan(values)] = edges.size + 1
    return found


def auc(codes: Codes, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve (0 to 1, 0.5 says nothing) of the bins' shares, judged on the other half."""
    width = int(codes.max(initial=0)) + 1
    half = np.arange(codes.size) % 2 == 0
    found = []
    for learnt in (half, ~half):
        rows = np.bincount(codes[learnt], minlength=width)
        hits = np.bincount(codes[learnt], weights=positive[learnt], minlength=width)
        prior = hits.sum() / max(rows.sum(), 1)
        score = (hits + prior) / (rows + 1)
        found.append(ranked_auc(score[codes[~learnt]], positive[~learnt]))
    return float(np.mean(found))


def ranked_auc(scores: Values, positive: NDArray[np.bool_]) -> float:
    """Mann and Whitney's U over all pairs; ties count half. 0.5 when one class is not there."""
    hits = int(positive.sum())
    misses = positive.size - hits
    if not hits or not misses:
        return 0.5
    return float((ranks(scores)[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def ranks(values: Values) -> Values:
    """[n] ranks from 1; equal values share their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Values = (last - (counts - 1) / 2)[places]
    return mean


def explained(codes: Codes, target: Values) -> float:
    """Share of the target's variance (at most 1; below 0 is worse than its mean) that the bins' means tell."""
    width = int(codes.max(initial=0)) + 1
    half = np.arange(codes.size) % 2 == 0
    error = 0.0
    for learnt in (half, ~half):
        rows = np.bincount(codes[learnt], minlength=width)
        sums = np.bincount(codes[learnt], weights=target[learnt], minlength=width)
        means = (sums + target[learnt].mean()) / (rows + 1)
        error += float(((target[~learnt] - means[codes[~learnt]]) ** 2).sum())
    total = float(((target - target.mean()) ** 2).sum())
    return 1 - error / total if total > 0 else 0.0


def correlation(a: Values, b: Values) -> float:
    """Pearson's, 0 when one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
