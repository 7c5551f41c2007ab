"""Rows that come more than once, against as many as the rows that were learnt from make us expect."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betainc, ndtr

from modelyard.monitoring.compare import corrected_effect
from modelyard.monitoring.draft import Draft, share
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.raw import MOST, Raw

Counts = NDArray[np.int64]


def repeats(evidence: Evidence) -> Iterator[Draft]:
    """The share of the window's rows that repeat another of its rows in every feature."""
    learnt = evidence.learnt(MOST)
    if learnt is None or len(learnt) < 2:
        return
    before, after = _times(learnt), _times(evidence.seen())
    n, m = int(before.sum()), int(after.sum())
    again = m - len(after)
    usual = m * (m - 1) * _pairs(before) / max(n * (n - 1), 1)
    r, w = np.array([n - len(before), len(before)]), np.array([again, len(after)])
    said = (
        f"{again} of {m} rows repeat another row of the window in every feature "
        f"({share(n - len(before), n)} of the rows learnt from do among themselves)"
    )
    yield Draft(
        kind="duplicates",
        column="",
        statistic="repeated_share",
        value=again / m if m else 0.0,
        p=more_pairs(before, after) if _pairs(after) > usual else 1.0,
        effect=corrected_effect(r, w) if _pairs(after) > usual else 0.0,
        reference_rows=n,
        window_rows=m,
        change=said,
        calm=said,
        shown=again > 0,
        least=None if evidence.settings.duplicates else math.inf,
    )


def more_pairs(before: Counts, after: Counts) -> float:
    """The chance of at least as many pairs of equal rows, where both samples are of one population.

    The larger of two p-values: of the pairs as rare events (conditional on their total a binomial), which is right where
    few rows repeat, and of the U-statistic of Hoeffding (1948), whose variance counts that frequent rows come in crowds.
    """
    n, m = int(before.sum()), int(after.sum())
    a, b = _pairs(before), _pairs(after)
    if not b:
        return 1.0
    chance = m * (m - 1) / (m * (m - 1) + n * (n - 1))
    rare = float(betainc(b, a + 1, chance))  # P(X >= b) of Binomial(a + b, chance)
    rate = (2 * a + 2 * b) / (n * (n - 1) + m * (m - 1))
    thirds = (_triples(before) + _triples(after)) / (
        n * (n - 1) * max(n - 2, 1) + m * (m - 1) * max(m - 2, 1)
    )
    crowd = 4 * max(thirds - rate * rate, 0.0)
    pairs = 2 * rate * (1 - rate)
    variance = sum(crowd / k + pairs / (k * (k - 1)) for k in (n, m))
    gap = 2 * b / (m * (m - 1)) - 2 * a / (n * (n - 1))
    return max(rare, float(ndtr(-gap / math.sqrt(variance)))) if variance > 0 else rare


def _pairs(times: Counts) -> int:
    return int((times * (times - 1)).sum()) // 2


def _triples(times: Counts) -> float:
    t = times.astype(float)
    return float((t * (t - 1) * (t - 2)).sum())


def _times(raw: Raw) -> Counts:
    """How often each row comes."""
    if not len(raw):
        return np.empty(0, dtype=np.int64)
    numbers = {f"n{at}": column for at, column in enumerate(raw.batch.numbers.T)}
    texts = {
        f"t{at}": pl.Series(column.tolist(), dtype=pl.String) for at, column in enumerate(raw.batch.texts.T)
    }
    hashes = pl.DataFrame({**numbers, **texts}).hash_rows()
    return hashes.value_counts()["count"].to_numpy().astype(np.int64)
