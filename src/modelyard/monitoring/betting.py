"""Whether a mean is beyond its bound, asked as often as one likes.

Somebody bets at fair odds that it is: a stake grows by the factor ``1 + rate * term`` with each term. If the mean of the
terms is no more than 0, the stake is a supermartingale, and the chance that it ever reaches 1/alpha is at most alpha (Ville
1939; Waudby-Smith and Ramdas 2024). So it may be looked at after every window without any more false alarms than one look
has. The stake is spread over rates, since nobody knows the best one, and over the windows from which on
somebody bets, since quality may be lost at any time: window j begins with a part of it that falls a little faster than 1/j (Shin, Ramdas and Rinaldo 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ALL = 2.1097428013
"""The sum of 1/(j ln(j)^2) from j = 2 on, rounded up."""
_EXACT = 4096
_RATES = np.geomspace(0.001, 0.7, 9)


@dataclass(frozen=True)
class Stake:
    """``log`` is the logarithm of what the stake has grown to; ``since`` the place among the windows from which on the
    bet paid best."""

    log: float
    since: int

    @property
    def p(self) -> float:
        """A p-value that holds however often it is asked."""
        return float(min(1.0, np.exp(-self.log)))


def stake(terms: Floats, windows: NDArray[np.intp]) -> Stake:
    """The stake after ``terms`` [n], each at least -1, of the windows [n] numbered from 0 in order of time.

    Terms are independent of those before them given how many there are; only their sums by window matter.
    """
    if not len(terms):
        return Stake(0.0, 0)
    held, at = np.unique(windows, return_inverse=True)  # of windows without a term there may be millions
    grown = np.empty((len(_RATES), len(held)))
    for row, rate in enumerate(_RATES):
        gains = np.bincount(at, weights=np.log1p(rate * terms), minlength=len(held))
        grown[row] = gains[::-1].cumsum()[::-1]  # by a bet that begins with that window
    begun = _begun(held)
    # what is bet from a window without a term on grows as what is bet from the next one on
    part = np.diff(begun, prepend=0.0)
    # what nobody has begun to bet by now is still in hand
    left = np.log(max(1 - float(begun[-1]), 1e-300))
    each = np.append(_logsum(grown, axis=0) - np.log(len(_RATES)) + np.log(part), left)
    return Stake(float(_logsum(each[None, :], axis=1)[0]), int(held[each[:-1].argmax()]))


def _begun(windows: NDArray[np.intp]) -> Floats:
    """The part of the stake that is bet from each window, or one before it, on; beyond ``_EXACT`` windows the sum is an
    integral, which is a little less."""
    place = np.arange(2, _EXACT + 2, dtype=np.float64)
    sums = (1 / (place * np.log(place) ** 2)).cumsum()
    near = sums[np.minimum(windows, _EXACT - 1)]
    beyond = 1 / np.log(_EXACT + 2.0) - 1 / np.log(np.maximum(windows, _EXACT - 1) + 3.0)
    return np.asarray((near + beyond) / _ALL)


def _logsum(values: Floats, *, axis: int) -> Floats:
    top = values.max(axis=axis, keepdims=True)
    found: Floats = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return found
