"""Evidently's rules and numbers (0.7.23), for those who have thresholds in them already.

Held against the tool's own answers in ``tests/monitoring/golden``. Infinities and gaps are left out, column by
column. Texts count as categories, whatever their length.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""Numbers as float64, or labels as objects; gaps are NaN or None."""
SMALL = 1000
"""Up to so many reference rows a test decides, beyond them a distance."""
_TESTS = {"ks", "chisquare", "z"}


@dataclass(frozen=True)
class Said:
    """``value`` is a p-value of a test, a distance otherwise."""

    by: str
    value: float
    threshold: float
    drifted: bool

    @property
    def p(self) -> float | None:
        return self.value if self.by in _TESTS else None


def column(reference: Values, window: Values, *, test: str = "auto") -> Said | None:
    """What Evidently says of a column; None where one of both has no value left (it raises then).

    ``test`` is ``auto``, ``ks``, ``chisquare``, ``z``, ``wasserstein``, ``jensenshannon``, ``psi`` or ``kl_div``; one that
    is not for the column's kind is taken as ``auto``.
    """
    reference, window = present(reference), present(window)
    if not len(reference) or not len(window):
        return None
    numeric = reference.dtype == np.float64
    both = np.concatenate([reference, window])
    values = len(np.unique(both)) if numeric else len(set(both.tolist()))
    if test == "auto" or test in (("chisquare", "z") if numeric else ("ks", "wasserstein")):
        test = _chosen(numeric, len(reference), values)
    value = _FUNCTIONS[test](reference, window)
    threshold = 0.05 if test in _TESTS else 0.1
    reached = (
        value <= threshold if test == "ks" else value < threshold if test in _TESTS else value >= threshold
    )
    return Said(test, value, threshold, bool(reached))


def present(values: Values) -> Values:
    """Without gaps and infinities."""
    if values.dtype == np.float64:
        finite: Values = values[np.isfinite(values)]
        return finite
    known: Values = values[np.array([v is not None for v in values.tolist()], dtype=bool)]
    return known


def _chosen(numeric: bool, rows: int, values: int) -> str:
    if rows > SMALL:
        return "wasserstein" if numeric and values > 5 else "jensenshannon"
    if numeric and values > 5:
        return "ks"
    return "chisquare" if values > 2 else "z"


def _shares(reference: Values, window: Values) -> tuple[Values, Values]:
    """In bins by Sturges' rule over both samples, or one a value where the reference has at most 20."""
    n, m = len(reference), len(window)
    if reference.dtype == np.float64 and len(np.unique(reference)) > 20:
        bins = np.histogram_bin_edges(np.concatenate([reference, window]), bins="sturges")
        return np.histogram(reference, bins)[0] / n, np.histogram(window, bins)[0] / m
    before, after = Counter(reference.tolist()), Counter(window.tolist())
    keys = sorted(before.keys() | after.keys())
    return np.array([before[k] / n for k in keys]), np.array([after[k] / m for k in keys])


def _filled(shares: Values) -> Values:
    least = shares[shares != 0].min()
    return np.where(shares == 0, least / 1e6 if least <= 1e-4 else 1e-4, shares)


def _psi(reference: Values, window: Values) -> float:
    p, q = map(_filled, _shares(reference, window))
    return float(((p - q) * np.log(p / q)).sum())


def _kl(reference: Values, window: Values) -> float:
    """Of the filled shares, each made to add up to 1, as ``scipy.stats.entropy`` does."""
    p, q = map(_filled, _shares(reference, window))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def _jensen_shannon(reference: Values, window: Values) -> float:
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(*_shares(reference, window)))


def _wasserstein(reference: Values, window: Values) -> float:
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(reference, window) / max(float(np.std(reference)), 0.001))


def _ks(reference: Values, window: Values) -> float:
    from scipy.stats import ks_2samp

    return float(ks_2samp(reference, window)[1])


def _chi_square(reference: Values, window: Values) -> float:
    """The reference's shares taken for certain, which is why it alarms so often."""
    from scipy.special import chdtrc

    p, q = _shares(reference, window)
    expected, found = p * len(window), q * len(window)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = ((found - expected) ** 2 / expected).sum()
    return float(chdtrc(len(p) - 1, statistic)) if np.isfinite(statistic) else 0.0


def _z(reference: Values, window: Values) -> float:
    from scipy.special import ndtr

    keys = sorted(set(reference.tolist()) | set(window.tolist()))
    if len(keys) == 1:
        return 1.0
    n, m = len(reference), len(window)
    a, b = (float((values != keys[0]).sum()) for values in (reference, window))
    pooled = (a + b) / (n + m)
    z = (a / n - b / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return float(2 * (1 - ndtr(abs(z))))


_FUNCTIONS = {
    "psi": _psi,
    "kl_div": _kl,
    "jensenshannon": _jensen_shannon,
    "wasserstein": _wasserstein,
    "ks": _ks,
    "chisquare": _chi_square,
    "z": _z,
}
