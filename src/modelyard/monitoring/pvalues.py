"""Calibrated tests of two samples of counts, and corrections for many of them.

A p-value here is what it says: where nothing has drifted, ``p <= alpha`` happens in at most about a share
``alpha`` of windows (measured in ``docs/monitoring-power.md``). Only ``scipy.special`` is used: ``scipy.stats``
takes a second to import.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modelyard.metrics.corrections import benjamini_hochberg, holm

Counts = NDArray[np.int64]
Correction = Literal["holm", "benjamini-hochberg"]
_PIECE, _LARGEST = 256, 2**17
"""Terms of a sum at a time: at first, and at most."""
_NOTHING = 40.0
"""What is so much smaller, as a logarithm, does not move the last digit of a sum."""


def psi(reference: Counts, window: Counts) -> float:
    """Population stability index over the cells of both samples, with half a row added to each cell."""
    p, q = (reference + 0.5) / (reference + 0.5).sum(), (window + 0.5) / (window + 0.5).sum()
    index: float = ((q - p) * np.log(q / p)).sum().item()
    return index


def psi_bias(reference: Counts, window: Counts) -> float:
    """What the index is on average where nothing has drifted: (B - 1) (1/n + 1/m)."""
    return (len(reference) - 1) * (1 / int(reference.sum()) + 1 / int(window.sum()))


def psi_p(reference: Counts, window: Counts) -> float:
    """PSI / (1/n + 1/m) as chi-square with B - 1 degrees (Yurdakul 2018); cells expect about 5 rows or more."""
    scaled = psi(reference, window) / (1 / reference.sum() + 1 / window.sum())
    return float(special.chdtrc(len(reference) - 1, scaled))


def chi_square(reference: Counts, window: Counts) -> tuple[float, float]:
    """Pearson's two-sample statistic and its p-value; no cell is empty in both samples."""
    table = np.stack([reference, window]).astype(float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(special.chdtrc(len(reference) - 1, statistic))


def fisher(reference: Counts, window: Counts) -> float:
    """Fisher's exact two-sided p-value of two cells in two samples, for any counts."""
    n, m, hits = int(reference.sum()), int(window.sum()), int(reference[0] + window[0])
    least, most = max(0, hits - n), min(hits, m)
    k = np.arange(least, most + 1)
    log = _log_choose(m, k) + _log_choose(n, hits - k)
    log -= special.logsumexp(log)
    # outcomes as likely as the one seen count as extreme: equal up to rounding
    return min(1.0, float(np.exp(log[log <= log[int(window[0]) - least] + 1e-7]).sum()))


def ks(reference: Counts, window: Counts) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance on the anchored edges, and its asymptotic p-value.

    The distance is exact at the edges, so that the p-value is never too small.
    """
    n, m = reference.sum(), window.sum()
    distance = float(np.abs(reference.cumsum() / n - window.cumsum() / m).max())
    return distance, float(special.kolmogorov(distance * math.sqrt(n * m / (n + m))))


def outside_p(reference_rows: int, window_rows: int, outside: int) -> float:
    """The chance that at least ``outside`` of the window's rows leave the reference's own range.

    Of a continuous column the range of n rows holds a share Beta(n - 1, 2) of what comes (Wilks 1941), whatever the
    distribution; with ties less leaves it, and the answer errs to the safe side.
    """
    if outside <= 0 or reference_rows < 2:
        return 1.0
    total, at, size = -math.inf, outside, _PIECE
    while at <= window_rows:
        k = np.arange(at, min(at + size, window_rows + 1))
        log = _log_choose(window_rows, k) + special.betaln(k + 2, window_rows - k + reference_rows - 1)
        total = float(np.logaddexp(total, special.logsumexp(log)))
        # the terms fall once they have begun to, so that all that are left add no more than the last one each
        if log[-1] < log[-2:][0] and log[-1] + math.log(window_rows) < total - _NOTHING:
            break
        at, size = at + len(k), min(2 * size, _LARGEST)
    return min(1.0, math.exp(total - float(special.betaln(2, reference_rows - 1))))


def unseen_p(
    reference: Mapping[str, int], window: Mapping[str, int], unseen: Mapping[str, int], other: int
) -> tuple[float, float]:
    """How many rows of unseen categories to expect, and the chance of at least as many as there are.

    Which rows are the window's is exchangeable where nothing has drifted: a category that occurs t times in
    both samples together is the window's alone with chance m(m-1).../(n+m)(n+m-1)... over t factors, about
    independently. ``other`` rows have labels that were not kept; each is taken as a category of its own,
    which is the safe side.
    """
    times = [count + window.get(label, 0) for label, count in reference.items() if count]
    times += [*unseen.values(), *[1] * other]
    n, m = sum(reference.values()), sum(window.values()) + sum(unseen.values()) + other
    found = sum(unseen.values()) + other
    expected, mass = 0.0, np.zeros(found + 1)
    mass[0] = 1.0
    for t, categories in zip(*np.unique(np.array(times, dtype=np.int64), return_counts=True), strict=True):
        if t > m:
            continue
        chance = math.exp(_log_choose(m, t) - _log_choose(n + m, t))
        expected += float(t * categories * chance)
        mass = _add(mass, int(t), int(categories), chance)
    return expected, min(1.0, float(mass[found])) if found else 1.0


def _add(mass: NDArray[np.float64], step: int, categories: int, chance: float) -> NDArray[np.float64]:
    """The distribution of a sum (its last place holds all that is more) after ``categories`` coins of ``step``."""
    last = len(mass) - 1
    most = min(categories, -(-last // step)) if step else 0
    k = np.arange(most + 1)
    coins = np.exp(
        _log_choose(categories, k) + special.xlogy(k, chance) + special.xlog1py(categories - k, -chance)
    )
    if most:
        coins[-1] = special.bdtrc(most - 1, categories, chance)
    if mass[0] == 1.0:
        # nothing added yet: no need for the loop, which would be quadratic in many rare labels
        places = np.minimum(k * step, last)
        return np.bincount(places, weights=coins, minlength=last + 1).astype(np.float64)
    added = np.zeros_like(mass)
    for jumps, weight in zip(k.tolist(), coins.tolist(), strict=True):
        if weight < 1e-18:
            continue
        shift = jumps * step
        if shift >= last:
            added[last] += weight * mass.sum()
        else:
            added[shift:] += weight * mass[: last + 1 - shift]
            added[last] += weight * mass[last + 1 - shift :].sum()
    return added


def _log_choose(n: float | Counts, k: float | Counts) -> NDArray[np.float64]:
    log: NDArray[np.float64] = (
        special.gammaln(np.add(n, 1.0))
        - special.gammaln(np.add(k, 1.0))
        - special.gammaln(np.subtract(n, k) + 1.0)
    )
    return log


def correct(p_values: Sequence[float], correction: Correction) -> list[float]:
    """Adjusted p-values in the same order, each to be held against alpha."""
    return holm(p_values) if correction == "holm" else benjamini_hochberg(p_values)


@functools.lru_cache(maxsize=256)
def smallest_shift(reference_rows: int, window_rows: int, cells: int, alpha: float, floor: float) -> float:
    """The shift of a normal column, in standard deviations, that PSI finds in four of five windows.

    By the noncentral chi-square with B - 1 degrees; B equal cells keep a share B sum(d phi)^2 of the information on
    a shift. ``floor`` is the least effect (PSI) that alerts.
    """
    spread = 1 / reference_rows + 1 / window_rows
    limit = max(special.chdtri(cells - 1, alpha), floor / spread + cells - 1)
    noncentrality = float(special.chndtrinc(limit, cells - 1, 0.2))
    edges = special.ndtri(np.linspace(0, 1, cells + 1))
    heights = np.exp(-(edges**2) / 2) / math.sqrt(2 * math.pi)
    kept = cells * float((np.diff(heights) ** 2).sum())
    return math.sqrt(noncentrality * spread / kept)
